// Shows /openapi.json of the worker that this page came from: operations by tag, what goes in and comes out, and a form to
// try each. Text goes into the page as text alone, so nothing in a document or an answer can act.
"use strict";

const METHODS = ["get", "put", "post", "delete"];
const field = id => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children.filter(child => child !== undefined && child !== null));
  return made;
}
const code = text => element("code", {}, String(text));
const block = value => element("pre", { tabIndex: 0 }, typeof value === "string" ? value : JSON.stringify(value, null, 2));
const text = value => value && element("p", { className: "text" }, value);

let api;

/// What a reference stands for.
const resolved = node => node && node.$ref
  ? node.$ref.slice(2).split("/").reduce((at, key) => at[key], api) : node;

/// A schema in short: `[Seat]`, `string`, `integer or null`.
function kind(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  for (const [of, word] of [["oneOf", " or "], ["anyOf", " or "], ["allOf", " and "]])
    if (schema[of]) return schema[of].map(kind).join(word);
  const type = [schema.type ?? "any"].flat().map(it => it === "array" ? `[${kind(schema.items)}]` : it).join(" or ");
  return schema.enum ? schema.enum.map(it => JSON.stringify(it)).join(" or ") : type;
}

/// The fields of a schema as a table, those of the schemas it is made of included; each type unfolds once.
function fields(schema, above = []) {
  const name = schema?.$ref, node = resolved(schema);
  if (!node || above.includes(name)) return null;
  const path = name ? [...above, name] : above;
  if (node.type === "array" || [node.type].flat().includes("array")) return fields(node.items, path);
  const parts = node.allOf ?? node.anyOf ?? node.oneOf;
  if (parts) return element("div", {}, ...parts.map(part => fields(part, path)));
  if (!node.properties) return node.description && node.enum ? text(node.description) : null;
  return element("table", {}, ...Object.entries(node.properties).map(([key, value]) => {
    const detail = fields(value, path);
    return element("tr", {},
      element("td", {}, code(key), (node.required ?? []).includes(key) ? "" : " (optional)"),
      element("td", {}, kind(value)),
      element("td", {}, text(value.description ?? resolved(value).description),
        detail && element("details", {}, element("summary", {}, "fields"), detail)));
  }));
}

function examples(content) {
  const named = Object.entries(content.examples ?? {}).map(([name, it]) => [name, resolved(it)]);
  return content.example === undefined ? named : [...named, ["Example", { value: content.example }]];
}

function parameters(list) {
  return element("table", {}, ...list.map(it => element("tr", {},
    element("td", {}, code(it.name), it.required ? "" : " (optional)"),
    element("td", {}, it.in),
    element("td", {}, text(it.description), "For example ", code(it.example)))));
}

function body(content) {
  return element("div", {}, fields(content.schema),
    ...examples(content).map(([name, it]) => element("details", {},
      element("summary", {}, it.summary ? `${name}: ${it.summary}` : name), text(it.description), block(it.value))));
}

function responses(all) {
  return element("div", {}, ...Object.entries(all).map(([status, response]) => element("details", {},
    element("summary", {}, element("strong", {}, status)), text(response.description),
    ...Object.entries(response.content ?? {}).map(([type, content]) => element("div", {}, code(type), body(content))))));
}

/// A form that sends the request and shows what came back.
function form(method, path, list, content) {
  const inputs = list.map(it => [it, element("input", {
    value: it.required ? it.example : "", placeholder: it.required ? "" : String(it.example) })]);
  const first = content && examples(content)[0]?.[1].value;
  const sent = content && element("textarea", { value: JSON.stringify(first, null, 2), ariaLabel: "Body", spellcheck: false });
  const answer = element("div", { role: "status" });
  const send = async event => {
    event.preventDefault();
    const headers = {}, query = new URLSearchParams();
    if (field("token").value) headers.authorization = `Bearer ${field("token").value}`;
    else if (field("user").value) headers["x-user-id"] = field("user").value;
    let address = path;
    for (const [it, input] of inputs) {
      if (it.in === "path") address = address.replace(`{${it.name}}`, encodeURIComponent(input.value));
      else if (input.value === "") continue;
      else if (it.in === "query") query.set(it.name, input.value);
      else headers[it.name] = input.value;
    }
    if (content && sent.value.trim()) headers["content-type"] = "application/json";
    if (String(query)) address += `?${query}`;
    try {
      const request = { method: method.toUpperCase(), headers, body: headers["content-type"] && sent.value };
      const got = await fetch(address, { ...request, signal: AbortSignal.timeout(15000) });
      let shown = await got.text();
      try { shown = JSON.stringify(JSON.parse(shown), null, 2); } catch { /* not JSON: as it is */ }
      answer.replaceChildren(element("p", {}, `${got.status} ${got.statusText}`), block(shown));
    } catch (error) {
      answer.replaceChildren(element("p", {}, `No answer: ${error.message}`));
    }
  };
  return element("form", { onsubmit: send },
    element("fieldset", {}, ...inputs.map(([it, input]) => element("label", {}, `${it.name} `, input))),
    sent, element("button", {}, "Send"), answer);
}

function operation(method, path, it) {
  const list = (it.parameters ?? []).map(resolved);
  const content = it.requestBody?.content?.["application/json"];
  return element("details", { id: it.operationId },
    element("summary", {}, element("span", { className: "method" }, method.toUpperCase()), code(path), ` ${it.summary}`),
    text(it.description),
    element("h3", {}, "Parameters"), parameters(list),
    content && element("h3", {}, it.requestBody.required ? "Body" : "Body (optional)"), content && body(content),
    element("h3", {}, "Answers"), responses(it.responses),
    element("h3", {}, "Try it"), form(method, path, list, content));
}

function unfold() {
  const chosen = field(location.hash.slice(1));
  if (chosen) { chosen.open = true; chosen.querySelector("summary").focus(); chosen.scrollIntoView(); }
}

async function show() {
  api = await (await fetch("/openapi.json")).json();
  document.title = document.querySelector("h1").textContent = `${api.info.title} ${api.info.version}`;
  field("about").textContent = api.info.description;
  field("about").className = "text";
  const all = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter(method => item[method]).map(method => [method, path, item[method]]));
  const main = document.querySelector("main"), list = element("ul");
  main.replaceChildren();
  for (const tag of api.tags) {
    const tagged = all.filter(([, , it]) => it.tags.includes(tag.name));
    main.append(element("section", {}, element("h2", {}, tag.name), text(tag.description),
      ...tagged.map(it => operation(...it))));
    list.append(...tagged.map(([, , it]) => element("li", {}, element("a", { href: `#${it.operationId}` }, it.summary))));
  }
  document.querySelector("nav").replaceChildren(list);
  addEventListener("hashchange", unfold);
  unfold();
}

show().catch(error => { document.querySelector("main").textContent = `The document cannot be shown: ${error.message}`; });
