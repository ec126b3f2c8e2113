/** Drives Chromium in the browser tests; pinned here, as no user of the product needs it. */
export { type Browser, type BrowserContext, chromium, type Locator, type Page } from "npm:playwright-core@1.65.1";
