// Deltas: patch(state, delta) is the state after. What did not change is shared with the state before, which stays as it
// was. docs/protocol.md says how they are written.

const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function place(list, index, last) {
  if (!Number.isInteger(index) || index < 0 || index > last) throw new RangeError(`no element ${index}`);
  return index;
}

const operations = {
  set(list, { index, value }) {
    list[place(list, index, list.length - 1)] = value;
  },
  splice(list, { index, deleteCount, items }) {
    place(list, index, list.length);
    place(list, index + deleteCount, list.length);
    list.splice(index, deleteCount, ...items);
  },
  patch(list, { items }) {
    for (const [index, delta] of Object.entries(items)) {
      place(list, Number(index), list.length - 1);
      list[index] = patch(list[index], delta);
    }
  },
};

function patchList(before, ops) {
  if (!Array.isArray(before) || !Array.isArray(ops)) throw new TypeError("operations for what is no list");
  const list = [...before];
  for (const op of ops) operations[op.op](list, op);
  return list;
}

export function patch(before, delta) {
  if (!isObject(delta)) return delta;
  if ("__pp_value" in delta) return delta.__pp_value;
  if ("__pp_array_ops" in delta) return patchList(before, delta.__pp_array_ops);
  const after = isObject(before) ? { ...before } : {};
  for (const [key, change] of Object.entries(delta)) {
    if (FORBIDDEN.has(key)) throw new TypeError(`the key ${key}`);
    if (isObject(change) && change.__pp_deleted === true) delete after[key];
    else after[key] = patch(after[key], change);
  }
  return after;
}
