// What the network is given of a spectrum, and how much of its ends the clusters leave out.
function render({model, view, el}) {
  const send = (data) => model.send_msg(data)
  const update = show(model, view, el, ["facts", "shown", "choices", "drop", "most", "ends", "is_usual", "is_applied", "can_apply", "problem", "has_model"], () => {
    const slider = h("input", {type: "range", class: "xrf-range xrf-plain", min: 0, max: model.most, step: 1, value: model.drop, "data-key": "drop",
      "aria-label": "Channels left out at each end", style: `--at:${model.drop / Math.max(model.most, 1) * 100}%`,
      oninput: (e) => e.target.style.setProperty("--at", `${e.target.value / Math.max(model.most, 1) * 100}%`),
      onchange: (e) => send({drop: +e.target.value})})
    return h("div", {class: "xrf-side"},
      h("section", {class: "xrf-section"}, h("h3", {}, "What the model sees"),
        model.has_model ? [
          model.choices.length > 1 && h("div", {class: "xrf-segments", role: "group", "aria-label": "Shown"}, model.choices.map(([word, value]) => h("button", {class: "xrf-segment", "data-key": value,
            "aria-pressed": String(value == model.shown), onclick: () => send({shown: value})}, word))),
          h("table", {class: "xrf-lines"}, h("tbody", {}, model.facts.map(([what, value]) => h("tr", {}, h("th", {scope: "row"}, what), h("td", {}, value))))),
          h("p", {class: "xrf-hint"}, "Grey: the spectrum as measured. In colour: what the model is given, in bins as fine as a detector's resolution. Energies on grey ground are not looked at. This belongs to the model and cannot be set.")]
          : h("p", {class: "xrf-hint"}, "This model reads the channels as they are.")),
      model.problem && h("p", {class: "xrf-section xrf-warn", role: "alert"}, model.problem),
      h("section", {class: "xrf-section"}, h("h3", {}, "What the clusters compare"),
        h("div", {class: "xrf-row"}, h("span", {class: "xrf-label"}, "Channels left out at each end"), h("output", {class: "xrf-value"}, thousands(model.drop))),
        slider,
        h("p", {class: "xrf-hint"}, model.ends),
        h("p", {class: "xrf-hint"}, "Ends of spectra that differ for reasons of the instrument make clusters of their own. Orange ground is left out. Embedding and clusters are computed anew when this is applied."),
        h("div", {class: "xrf-actions"},
          h("button", {class: "xrf-button xrf-primary", disabled: model.is_applied || !model.can_apply, onclick: () => send({act: "apply"})}, "Apply"),
          h("button", {class: "xrf-button", disabled: model.is_usual, onclick: () => send({act: "usual"})}, "Back to the usual"))))
  })
}
export default {render}
