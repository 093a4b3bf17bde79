// One self-contained ES module: uPlot and both style sheets travel inside it.
import { build } from "esbuild";

const [outfile = "../static/plot.js"] = process.argv.slice(2);

await build({
  entryPoints: ["src/main.ts"],
  outfile,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2021",
  charset: "utf8",
  legalComments: "inline",
  loader: { ".css": "text" },
  logLevel: "warning",
});
