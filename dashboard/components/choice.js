function render({model, view, el}) {
  show(model, view, el, ["value", "options"], () => h("label", {class: "xrf-choice", title: model.description}, h("span", {}, model.label),
    h("select", {"aria-label": model.label || model.description, onchange: (e) => { model.value = e.target.value }}, model.options.map(([word, value]) =>
      h("option", {value, selected: value == model.value}, word)))))
}
export default {render}
