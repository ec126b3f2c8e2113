/** A parser of GitHub-flavoured Markdown for the tests of pages; pinned here, as no user of the product needs it. */
export { micromark } from "npm:micromark@4.0.2";
export { gfm, gfmHtml } from "npm:micromark-extension-gfm@3.0.0";
