// One self-contained ES module: uPlot and both style sheets travel inside it.
import { readFile } from "node:fs/promises";
import { build, transform } from "esbuild";

const [outfile = "../static/plot.js"] = process.argv.slice(2);

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

await build({
  entryPoints: ["src/main.ts"],
  outfile,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2021",
  charset: "utf8",
  legalComments: "inline",
  plugins: [styleSheets],
  logLevel: "warning",
});
