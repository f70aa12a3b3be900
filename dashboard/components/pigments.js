// Pigments that would explain the elements of the selection: closed until asked for.
function render({model, view, el}) {
  const opened = new Set()
  const list = (title, words) => words.length > 0 && h("p", {}, h("b", {}, title), " ", words.join(". ") + ".")
  const one = (each) => h("div", {class: "xrf-pigment-one"},
    h("h4", {}, each.name), h("p", {class: "xrf-small"}, `${each.formula} · ${each.colour} · ${each.dates}`),
    list("For:", each.speaks_for), list("Against:", each.speaks_against), list("Not told by XRF:", each.unseen),
    each.note && h("p", {}, each.note),
    h("details", {}, h("summary", {}, "Sources"), each.sources.map((source) => h("p", {class: "xrf-small"}, source))))
  const update = show(model, view, el, ["is_open", "about", "hint", "groups", "unseen", "busy", "problem"], () => [
    h("button", {class: "xrf-fold", "data-key": "fold", "aria-expanded": String(model.is_open),
      title: "Historical pigments whose elements are here: candidates, no findings",
      onclick: () => model.send_msg({open: !model.is_open})},
      h("span", {class: "xrf-fold-mark"}, model.is_open ? "▾" : "▸"), "Pigment candidates"),
    model.is_open && h("div", {class: "xrf-pigments", role: "region", "aria-label": "Pigment candidates"},
      h("p", {class: "xrf-hint"}, model.about),
      model.busy && h("p", {class: "xrf-hint", role: "status"}, "Identifying…"),
      model.problem && h("p", {class: "xrf-hint", role: "alert"}, model.problem),
      model.groups.map((group) => {
        const is_out = opened.has(group.id)
        return h("div", {class: "xrf-pigment"},
          h("button", {class: "xrf-pigment-head", "data-key": group.id, "aria-expanded": String(is_out), title: is_out ? "Show less" : "For, against, dates and sources",
            onclick: () => { is_out ? opened.delete(group.id) : opened.add(group.id); update() }},
            h("b", {}, group.elements), h("span", {}, group.title, h("small", {}, group.told))),
          is_out && h("div", {class: "xrf-pigment-more"}, group.pigments.map(one)))
      }),
      !model.busy && !model.groups.length && !model.problem && h("p", {class: "xrf-hint"}, "No pigment of the table fits the elements found here."),
      model.hint && h("p", {class: "xrf-hint"}, model.hint),
      h("details", {class: "xrf-hint"}, h("summary", {}, "What XRF cannot see"), model.unseen.map((each) => h("p", {}, h("b", {}, each.name), ": ", each.why))))])
}
export default {render}
