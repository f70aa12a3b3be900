// The clusters, and below them what can be said of the chosen one and done with it.
function render({model, view, el}) {
  let merging = false, renaming = false
  const stop = () => { merging = renaming = false; update() }
  const row = (item) => h("button", {
    class: "xrf-cluster", "data-key": `c${item.number}`, role: "option", disabled: item.number < 0,
    "aria-selected": String(item.number === model.value),
    title: item.number < 0 ? "Pixels that belong to no cluster" : `${item.name}, ${thousands(item.size)} pixels${item.text ? `: ${item.text}` : ""}`,
    onclick: () => {
      if (merging && item.number !== model.value) model.send_msg({merge: [model.value, item.number]})
      else if (!merging) model.value = item.number === model.value ? null : item.number
      stop()
    }},
    h("i", {style: `background:${item.colour}`}), h("b", {}, item.number < 0 ? "–" : String(item.number + 1)),
    h("span", {class: "xrf-num"}, percent(item.share)),
    h("span", {class: "xrf-els"}, h("small", {}, `${thousands(item.size)} px`), item.given && h("em", {}, item.given),
      item.number < 0 ? "unassigned" : model.partial ? "" : item.elements.join(" ") || "no element found"))
  const name = (item) => {
    const field = h("input", {class: "xrf-search", type: "text", maxlength: 60, value: item.given, placeholder: item.name,
      "aria-label": `Name of cluster ${item.number + 1}`, "data-key": "name",
      onkeydown: (event) => {
        event.stopPropagation()
        if (event.key == "Enter") { model.send_msg({name: [item.number, field.value]}); stop() }
        else if (event.key == "Escape") stop()
      }})
    queueMicrotask(() => field.focus())
    return h("div", {class: "xrf-inline"}, field,
      h("button", {class: "xrf-button", onclick: () => { model.send_msg({name: [item.number, field.value]}); stop() }}, "Keep"))
  }
  const actions = (item) => h("div", {class: "xrf-inline"},
    h("button", {class: "xrf-button xrf-toggle", "data-key": "rename", title: "Give this cluster a name", onclick: () => { renaming = true; update() }}, "Rename"),
    h("button", {class: "xrf-button xrf-toggle", "data-key": "merge", title: "Make this cluster and another one", onclick: () => { merging = true; update() }}, "Merge"),
    item.merged && h("button", {class: "xrf-button xrf-toggle", "data-key": "apart", title: "Undo the merge that made this cluster",
      onclick: () => model.send_msg({apart: item.number})}, "Take apart"),
    model.can_keep && h("button", {class: "xrf-button xrf-toggle", "data-key": "region", title: "Keep the pixels of this cluster as a region",
      onclick: () => model.send_msg({region: item.number})}, "To region"))
  const update = show(model, view, el, ["items", "value", "note", "partial", "stale", "can_keep"], () => {
    const chosen = model.items.find((item) => item.number >= 0 && item.number === model.value)
    if (!chosen) merging = renaming = false
    return h("div", {class: `xrf-groups${model.stale ? " xrf-stale" : ""}`},
      model.note && h("div", {class: "xrf-groupnote"}, h("span", {}, model.note),
        h("button", {class: "xrf-link", "data-key": "automatic", onclick: () => model.send_msg({automatic: true})}, "Back to automatic")),
      h("div", {class: "xrf-list", "data-scroll": "list", role: "listbox", "aria-label": "Clusters"}, model.items.map(row)),
      chosen && h("div", {class: "xrf-chosen"},
        h("div", {class: "xrf-selected"}, h("i", {style: `background:${chosen.colour}`}), h("strong", {}, chosen.name)),
        merging ? h("p", {class: "xrf-hint", role: "status"}, "Choose the other cluster in the list. ", h("button", {class: "xrf-link", "data-key": "cancel", onclick: stop}, "Cancel"))
          : renaming ? name(chosen)
          : [h("p", {class: "xrf-hint"}, chosen.text || "Comparing with the other pixels…"), actions(chosen)]))
  })
}
export default {render}
