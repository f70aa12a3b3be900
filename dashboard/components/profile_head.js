// Title row of a profile: what it shows, what lies beside, and the ways to fold and close it.
function render({model, view, el}) {
  const choice = (label, options, value, onchange) => h("select", {class: "xrf-curve-choice", "aria-label": label, title: label, "data-key": label, onchange},
    options.map(([words, name]) => h("option", {value: name, selected: String(name) == String(value)}, words)))
  const tell = (place) => (event) => model.send_msg({beside: [0, 1].map((i) => i == place ? event.target.value : model.beside[i] ?? "")})
  const colour = (symbol) => model.curves.find((each) => each[2] == symbol)?.[0] ?? "transparent"
  show(model, view, el, ["text", "curves", "beside", "options", "across", "widths", "folded"], () => h("div", {class: "xrf-profile-head"},
    h("button", {class: "xrf-tool", "data-key": "fold", title: model.folded ? "Unfold the line profile" : "Fold the line profile",
      "aria-label": "Line profile", "aria-expanded": String(!model.folded), onclick: () => { model.folded = !model.folded }},
    h("span", {class: "xrf-chevron", "aria-hidden": "true"}, model.folded ? "▸" : "▾")),
    h("b", {}, model.text),
    h("span", {class: "xrf-profile-curves"}, model.curves.filter(([, name]) => name == "chosen").map(([colour, , symbol]) =>
      h("span", {class: "xrf-legend"}, h("i", {style: `background:${colour}`}), symbol))),
    !model.folded && [0, 1].map((i) => h("span", {class: "xrf-legend"}, h("i", {style: `background:${colour(model.beside[i])}`}),
      choice(i ? "Another beside it" : "Beside it", model.options, model.beside[i] ?? "", tell(i)))),
    !model.folded && choice("Pixels averaged across the line", model.widths.map((n) => [`${n} px`, n]), model.across,
      (event) => model.send_msg({width: +event.target.value})),
    h("button", {class: "xrf-tool", "data-key": "close", title: "Remove the line", "aria-label": "Remove the line", onclick: () => model.send_msg({close: true})}, icon("close"))))
}
export default {render}
