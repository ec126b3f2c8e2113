/** Property tests; pinned here, as no user of the product needs it. */
export { default } from "npm:fast-check@4.10.2";
