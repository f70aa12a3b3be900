// Named peaks of a calibration, what they give, and applying it.
function render({model, view, el}) {
  const send = (data) => model.send_msg(data)
  const signed = (v, unit) => v == null ? "" : `${v > 0 ? "+" : v < 0 ? "−" : "±"}${Math.abs(v).toFixed(1)} ${unit}`
  const row = (pair, i) => h("div", {class: "xrf-pair"},
    h("span", {title: `Channel ${pair.channel.toFixed(1)}`}, `${pair.energy.toFixed(2)} keV`),
    h("input", {class: "xrf-search", "data-key": `name-${i}`, value: pair.name, "aria-label": `Line of the peak at ${pair.energy.toFixed(2)} keV`,
      placeholder: "Fe Kα", title: "A line such as Fe Kα or Pb La; choose one below or write it",
      onchange: (e) => send({name: [i, e.target.value]})}),
    h("small", {class: "xrf-num", title: "The line less the new energy of its peak"}, signed(pair.residual, "eV")),
    h("button", {class: "xrf-step", "aria-label": `Leave out the peak at ${pair.energy.toFixed(2)} keV`, title: "Leave this peak out",
      onclick: () => send({remove: i})}, icon("close")),
    h("div", {class: "xrf-likely", role: "group", "aria-label": "Likely lines"}, pair.lines.slice(0, 6).map(([name, energy]) =>
      h("button", {class: "xrf-chip-small", "aria-pressed": String(name == pair.name), title: `${energy.toFixed(3)} keV`,
        onclick: () => send({name: [i, name]})}, name))))
  show(model, view, el, ["current", "source", "is_own", "pairs", "proposed", "effect", "problem", "can_apply"], () => h("div", {class: "xrf-side"},
    h("section", {class: "xrf-section"}, h("h3", {}, "Now"), h("div", {}, model.current), h("p", {class: "xrf-hint"}, model.source),
      model.is_own && h("button", {class: "xrf-button", title: "Forget this calibration and take the file's again", onclick: () => send({act: "reset"})}, "Back to the file's")),
    h("section", {class: "xrf-section"}, h("h3", {}, "Peaks whose lines you know"),
      model.pairs.length == 0 && h("p", {class: "xrf-hint"}, "Click two peaks in the spectrum, far from each other, and name their lines. Or begin with a suggestion from the elements found."),
      model.pairs.map(row),
      h("div", {class: "xrf-actions"}, h("button", {class: "xrf-button", onclick: () => send({act: "suggest"})}, "Suggest"),
        model.pairs.length > 0 && h("button", {class: "xrf-button", onclick: () => send({act: "clear"})}, "Clear"))),
    model.problem && h("p", {class: "xrf-section xrf-warn", role: "alert"}, model.problem),
    model.proposed && h("section", {class: "xrf-section xrf-proposed"}, h("h3", {}, "Proposed"), h("div", {}, model.proposed),
      h("table", {class: "xrf-lines"}, h("thead", {}, h("tr", {}, h("th", {scope: "col"}, "At"), h("th", {scope: "col"}, "Energies move by"))),
        h("tbody", {}, model.effect.map(([kev, moved]) => h("tr", {}, h("th", {scope: "row"}, `${kev.toFixed(1)} keV`), h("td", {}, signed(moved, "eV")))))),
      h("p", {class: "xrf-hint"}, "The grey curve is the spectrum as it is, the coloured one as it would be. Dashed lines are where the named lines belong."),
      h("button", {class: "xrf-button xrf-primary", disabled: !model.can_apply, title: "Everybody who opens this scan then sees it so; it can be taken back here",
        onclick: () => send({act: "apply"})}, "Apply to this scan"))))
}
export default {render}
