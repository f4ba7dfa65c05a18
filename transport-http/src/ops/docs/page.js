"use strict";
// Lists the operations of openapi.json and tries them. Everything is put on the page as text,
// never as markup.
const root = document.currentScript.src.replace(/docs\.js(\?.*)?$/, "");
const tokenField = document.getElementById("token");

function make(name, properties = {}, children = []) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function resolved(api, node) {
  let current = node;
  for (let depth = 0; current && current.$ref && depth < 9; depth += 1) {
    current = current.$ref.slice(2).split("/").reduce((at, key) => at && at[key], api);
  }
  return current || {};
}

function sample(api, schema, depth = 0) {
  const shape = resolved(api, schema);
  if (depth > 6) return null;
  if (shape.example !== undefined) return shape.example;
  if (shape.examples && shape.examples.length) return shape.examples[0];
  if (shape.default !== undefined) return shape.default;
  if (shape.enum) return shape.enum[0];
  const choice = (shape.oneOf || shape.anyOf || shape.allOf || [])
    .find((option) => option.type !== "null");
  if (choice) return sample(api, choice, depth + 1);
  const type = Array.isArray(shape.type) ? shape.type.find((t) => t !== "null") : shape.type;
  switch (type) {
    case "object": {
      const object = {};
      for (const [name, property] of Object.entries(shape.properties || {})) {
        object[name] = sample(api, property, depth + 1);
      }
      return object;
    }
    case "array": return [sample(api, shape.items, depth + 1)];
    case "integer": case "number": return shape.minimum || 1;
    case "boolean": return true;
    default: return "";
  }
}

function parameterFields(api, operation) {
  return (operation.parameters || []).map((reference) => {
    const parameter = resolved(api, reference);
    const input = make("input", { placeholder: parameter.required ? "required" : "" });
    const text = `${parameter.name} (${parameter.in}) ${parameter.description || ""}`;
    return { parameter, input, label: make("label", { textContent: text }, [input]) };
  });
}

function requestOf(path, method, fields, body, type) {
  const query = new URLSearchParams();
  const headers = {};
  let target = path;
  for (const { parameter, input } of fields) {
    if (input.value === "") continue;
    if (parameter.in === "path") {
      target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    } else if (parameter.in === "query") {
      query.append(parameter.name, input.value);
    } else if (parameter.in === "header") {
      headers[parameter.name] = input.value;
    }
  }
  if (tokenField.value) headers.Authorization = `Bearer ${tokenField.value}`;
  const options = { method: method.toUpperCase(), headers, credentials: "omit" };
  if (body && body.value.trim()) {
    headers["Content-Type"] = type;
    options.body = body.value;
  }
  const text = query.toString();
  return [root.replace(/\/$/, "") + target + (text ? `?${text}` : ""), options];
}

async function run(request, output) {
  output.textContent = "…";
  try {
    const response = await fetch(...request);
    const text = await response.text();
    let shown = text;
    try {
      const value = JSON.parse(text);
      shown = JSON.stringify(value, null, 2);
      const token = value.access_token || (value.data && value.data.access_token);
      if (token) tokenField.value = token;
    } catch { /* not JSON: shown as it is */ }
    output.textContent = `${response.status} ${response.statusText}\n\n${shown}`;
  } catch (error) {
    output.textContent = String(error);
  }
}

function operationView(api, path, method, operation) {
  const fields = parameterFields(api, operation);
  const content = (resolved(api, operation.requestBody).content) || {};
  const type = Object.keys(content)[0];
  const body = type && make("textarea", { spellcheck: false });
  if (body) body.value = JSON.stringify(sample(api, content[type].schema), null, 2);
  const output = make("pre", { hidden: true });
  const button = make("button", { textContent: "Try it", type: "button" });
  button.addEventListener("click", () => {
    output.hidden = false;
    run(requestOf(path, method, fields, body, type), output);
  });
  const answers = Object.entries(operation.responses || {})
    .map(([status, answer]) => `${status} ${resolved(api, answer).description || ""}`).join("\n");
  return make("details", {}, [
    make("summary", {}, [make("b", { textContent: method.toUpperCase() }), make("code", { textContent: path }),
      ` ${operation.summary || ""}`]),
    make("p", { textContent: operation.description || "" }),
    ...fields.map((field) => field.label),
    ...(body ? [make("label", { textContent: `Body (${type})` }, [body])] : []),
    make("pre", { textContent: answers }),
    button,
    output,
  ]);
}

function show(api) {
  document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  document.getElementById("about").textContent = api.info.description || "";
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of ["get", "post", "put", "delete"]) {
      const operation = item[method];
      if (!operation) continue;
      const group = (operation.tags || ["other"])[0];
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(operationView(api, path, method, operation));
    }
  }
  const list = document.getElementById("operations");
  list.replaceChildren();
  for (const [group, views] of groups) {
    list.append(make("h2", { textContent: group }), ...views);
  }
}

fetch(`${root}openapi.json`)
  .then((response) => response.json())
  .then(show)
  .catch((error) => {
    document.getElementById("operations").textContent = `The document cannot be read: ${error}`;
  });
