/** `import text from "….css" with { type: "text" }`: the file's text, embedded in the executable. */
declare module "*.css" {
  const text: string;
  export default text;
}
