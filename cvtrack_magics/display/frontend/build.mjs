// Three self-contained bundles: the live plot, an ES module for anywidget; the prediction viewer,
// a script for a page of its own; and the script of a table of runs. Style sheets travel inside.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build, transform } from "esbuild";

const [plot = "../static/plot.js"] = process.argv.slice(2);

/** A style sheet becomes a string without its blanks. */
const styleSheets = {
  name: "style-sheets",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const css = await readFile(path, "utf8");
      const { code } = await transform(css, { loader: "css", minify: true, charset: "utf8" });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

/**
 * uPlot asks for numbers in the browser's language while it is loaded, and where that is no
 * language tag (WebKitGTK under LANG=C says "C") the page has no plot. Its numbers are ours.
 */
const anyLanguage = {
  name: "any-language",
  setup({ onLoad }) {
    onLoad({ filter: /uPlot\.esm\.js$/ }, async ({ path }) => {
      const [before, after, ...more] = (await readFile(path, "utf8")).split("nav.language");
      if (after === undefined || more.length) throw new Error(`${path} names no language, once`);
      return { contents: `${before}"en-US"${after}`, loader: "js" };
    });
  },
};

/** Of the metrics' names the page needs no more than the words: whose they are is for readers. */
const metricNames = {
  name: "metric-names",
  setup({ onLoad }) {
    onLoad({ filter: /metric_names\.json$/ }, async ({ path }) => {
      const kinds = Object.entries(JSON.parse(await readFile(path, "utf8")));
      const words = kinds.map(([kind, sources]) => [kind, { "": Object.values(sources).join(" ") }]);
      return { contents: JSON.stringify(Object.fromEntries(words)), loader: "json" };
    });
  },
};

const common = {
  bundle: true,
  minify: true,
  target: "es2021",
  charset: "utf8",
  legalComments: "inline",
  plugins: [styleSheets, anyLanguage, metricNames],
  logLevel: "warning",
};

await build({ ...common, entryPoints: ["plot/main.ts"], outfile: plot, format: "esm" });
for (const name of ["grid", "runs"]) {
  await build({
    ...common,
    entryPoints: [`${name}/main.ts`],
    outfile: join(dirname(plot), `${name}.js`),
    target: "es2022",
    format: "iife",
  });
}
