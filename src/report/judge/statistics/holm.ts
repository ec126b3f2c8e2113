/**
 * Holm's step-down adjustment of a family of p-values (Holm 1979): the i-th smallest of m becomes the largest of
 * (m - j + 1) p_(j) over j <= i, at most 1. An adjusted p-value of at most 0.05 keeps the chance of any false finding in
 * the family below 5 %, whatever the dependence.
 *
 * @param pValues Null: not tested, and no member of the family.
 * @returns In the same order.
 */
export function holm(pValues: readonly (number | null)[]): (number | null)[] {
  const family = pValues.flatMap((p, index) => p === null ? [] : [{ p, index }]).sort((a, b) => a.p - b.p);
  const adjusted: (number | null)[] = pValues.map(() => null);
  let largest = 0;
  family.forEach(({ p, index }, rank) => {
    largest = Math.max(largest, Math.min(1, (family.length - rank) * p));
    adjusted[index] = largest;
  });
  return adjusted;
}
