// Below the scatter of two elements: which two, how, and how they go together.
function render({model, view, el}) {
  const pick = (label, key, value, options, title) => h("label", {class: "xrf-choice", title}, h("span", {"aria-hidden": "true"}, label),
    h("select", {"data-key": key, "aria-label": title, onchange: (event) => model.send_msg({[key]: event.target.value})},
      options.map(([word, name]) => h("option", {value: name, selected: name == value}, word))))
  show(model, view, el, ["elements", "across", "up", "log", "colours", "colour", "text", "title"], () => h("div", {class: "xrf-scatterbar"},
    h("div", {class: "xrf-inline"},
      pick("→", "across", model.across, model.elements, "Element along the horizontal axis"),
      pick("↑", "up", model.up, model.elements, "Element along the vertical axis"),
      h("button", {class: "xrf-button xrf-toggle", "data-key": "log", "aria-pressed": String(model.log), title: "Logarithmic axes",
        onclick: () => model.send_msg({log: !model.log})}, "Log"),
      pick("by", "colour", model.colour, model.colours, "What the colour of a point tells")),
    h("div", {class: "xrf-inline"}, h("span", {class: "xrf-small xrf-grow", title: model.title}, model.text.split("\n").map((line) => h("div", {}, line))),
      h("button", {class: "xrf-link", "data-key": "table", title: "Correlation of all found elements, in a table", onclick: () => model.send_msg({table: true})}, "All pairs"))))
}
export default {render}
