// Buttons that put something on the stage.
function render({model, view, el}) {
  show(model, view, el, ["value"], () => h("div", {class: "xrf-tools", role: "group", "aria-label": "Larger views"},
    model.items.map(([name, symbol, label, description]) => h("button", {class: "xrf-tool", "data-key": name, title: description, "aria-label": label,
      "aria-pressed": String(model.value == name), onclick: () => { model.value = model.value == name ? "" : name }}, icon(symbol)))))
}
export default {render}
