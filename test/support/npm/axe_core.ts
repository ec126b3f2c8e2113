/** Accessibility rules for the browser tests; pinned here, as no user of the product needs it. */
export { default } from "npm:axe-core@4.14.1";
