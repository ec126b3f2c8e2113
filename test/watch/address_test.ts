import assert from "node:assert/strict";
import { DEFAULT_WATCH, isPublic, isTrustedHost, parseWatchAddress } from "../../src/watch/address.ts";

Deno.test("parseWatchAddress() reads a port, of this machine alone, or a host and a port", () => {
  assert.deepEqual(parseWatchAddress("80"), { hostname: "127.0.0.1", port: 80 });
  assert.deepEqual(parseWatchAddress("node-7.lab:8642"), { hostname: "node-7.lab", port: 8642 });
  assert.deepEqual(parseWatchAddress("[::1]:0"), { hostname: "::1", port: 0 });
  for (const text of ["", "host", "host:", "65536", "-1", "a b:80", "http://host:80", "::1:80", "80.5"]) {
    assert.throws(() => parseWatchAddress(text), {
      message: `Cannot use --watch "${text}" as it must be PORT or HOST:PORT: give such as 8642`,
    });
  }
});

Deno.test("isPublic() tells an address that other machines see", () => {
  assert.equal(isPublic(DEFAULT_WATCH), false);
  for (const hostname of ["localhost", "127.1.2.3", "::1"]) assert.equal(isPublic({ hostname, port: 1 }), false);
  for (const hostname of ["0.0.0.0", "::", "10.0.0.3", "node7"]) assert.equal(isPublic({ hostname, port: 1 }), true);
});

Deno.test("isTrustedHost() takes addresses, localhost and the name of --watch, and no name made to lead here", () => {
  const address = { hostname: "Node7", port: 8642 };
  for (const host of ["127.0.0.1:8642", "localhost", "LOCALHOST:1", "[::1]:8642", "192.168.0.3", "node7:8642"]) {
    assert.equal(isTrustedHost(host, address), true, host);
  }
  for (
    const host of [null, "", "evil.example", "evil.example:8642", "127.0.0.1.evil.example", "localhost.", "[evil]"]
  ) {
    assert.equal(isTrustedHost(host, address), false, String(host));
  }
});
