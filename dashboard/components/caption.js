// Title row of a pane: its name, a detail, and the legend's chips.
function render({model, view, el}) {
  show(model, view, el, ["text", "chips", "detail"], () => h("div", {class: "xrf-title"},
    h("h2", {title: model.text}, model.text), model.detail && h("span", {class: "xrf-small"}, model.detail),
    model.chips.map((chip) => h("span", {class: "xrf-legend"}, h("i", {style: `background:${chip[0]}`}), chip[1]))))
}
export default {render}
