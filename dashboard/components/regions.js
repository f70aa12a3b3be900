// The kept regions. Pointing at one widens its outline on the map, here in the browser.
function render({model, view, el}) {
  let open = "", pointed = ""
  const tell = (id, what, more = {}) => model.send_msg({id, do: what, ...more})
  const point = (id) => {
    if (id == pointed) return
    pointed = id
    const source = view.model.document?.get_model_by_name("xrf-region-outlines")
    if (!source?.data.id) return
    const wide = (thin, thick) => Array.from(source.data.id, (own) => own == id ? thick : thin)
    source.setv({data: {...source.data, width: wide(2.25, 4.5), casing: wide(4.25, 7)}}, {sync: false})
  }
  const details = (item) => h("div", {class: "xrf-region-more"},
    h("input", {class: "xrf-search", type: "text", "data-key": `name-${item.id}`, value: item.name, maxlength: 80, "aria-label": "Name of the region",
      onchange: (e) => tell(item.id, "rename", {name: e.target.value}),
      onkeydown: (e) => { if (e.key == "Enter" || e.key == "Escape") { e.stopPropagation(); if (e.key == "Escape") e.target.value = item.name; e.target.blur() } }}),
    h("div", {class: "xrf-swatches", role: "group", "aria-label": "Colour of the region"}, model.colours.map((colour) =>
      h("button", {class: "xrf-swatch", "data-key": `colour-${colour}`, title: "Use this colour", "aria-label": `Colour ${colour}`,
        "aria-pressed": String(colour == item.colour), onclick: () => tell(item.id, "colour", {colour})}, h("i", {style: `background:${colour}`})))),
    h("p", {class: "xrf-hint"}, item.counts),
    item.error ? h("p", {class: "xrf-hint xrf-warned", role: "alert"}, item.error)
      : h("div", {class: "xrf-region-elements"}, item.busy ? h("span", {class: "xrf-small"}, "Identifying…")
        : item.elements.length ? item.elements.map((found) => h("button", {class: "xrf-mini", "data-key": `${item.id}-${found.symbol}`,
            title: `${found.name}, probability ${found.probability.toFixed(2)}: show its map`, "aria-pressed": String(found.symbol == model.value),
            onclick: () => { model.value = found.symbol }}, found.symbol))
          : h("span", {class: "xrf-small"}, "No element is above its threshold.")),
    h("div", {class: "xrf-region-actions"},
      h("button", {class: "xrf-tool", title: "Select these pixels again", "aria-label": `Select ${item.name} again`, "data-key": `new-${item.id}`,
        onclick: () => tell(item.id, "select", {operation: "new"})}, icon("join_new")),
      h("button", {class: "xrf-tool", title: "Add to the selection", "aria-label": `Add ${item.name} to the selection`, "data-key": `add-${item.id}`,
        onclick: () => tell(item.id, "select", {operation: "add"})}, icon("join_add")),
      h("button", {class: "xrf-tool", title: "Take away from the selection", "aria-label": `Take ${item.name} away from the selection`, "data-key": `sub-${item.id}`, disabled: !model.has_selection,
        onclick: () => tell(item.id, "select", {operation: "subtract"})}, icon("join_subtract")),
      h("button", {class: "xrf-tool", title: "Only what the selection and this region share", "aria-label": `Overlap of the selection with ${item.name}`, "data-key": `cut-${item.id}`, disabled: !model.has_selection,
        onclick: () => tell(item.id, "select", {operation: "intersect"})}, icon("join_intersect")),
      h("span", {class: "xrf-grow"}),
      h("button", {class: "xrf-tool", title: "Delete this region; undo brings it back", "aria-label": `Delete ${item.name}`, "data-key": `delete-${item.id}`,
        onclick: () => { point(""); tell(item.id, "delete") }}, icon("delete"))))
  const row = (item) => h("div", {class: "xrf-region", onmouseenter: () => point(item.id), onmouseleave: () => point(""), "data-open": String(item.id == open)},
    h("div", {class: "xrf-region-head"},
      h("i", {style: `background:${item.colour}`}),
      h("button", {class: "xrf-region-name", "data-key": `row-${item.id}`, title: `${item.name}: more about this region`, "aria-expanded": String(item.id == open),
        onclick: () => { open = item.id == open ? "" : item.id; update() }},
        h("b", {}, item.name), h("small", {}, item.size),
        item.id != open && item.elements.length > 0 && h("small", {}, item.elements.map((found) => found.symbol).join(" "))),
      h("button", {class: "xrf-tool", "data-key": `eye-${item.id}`, title: item.shown ? "Hide on the map" : "Show on the map",
        "aria-label": `${item.shown ? "Hide" : "Show"} ${item.name}`, "aria-pressed": "false", onclick: () => tell(item.id, "toggle")}, icon(item.shown ? "visibility" : "visibility_off"))),
    item.id == open && details(item))
  const update = show(model, view, el, ["items", "value", "colours", "has_selection"], () => {
    view.el.style.display = model.items.length ? "block" : "none"
    return [
      h("div", {class: "xrf-row"}, h("span", {class: "xrf-label"}, "Regions"), h("span", {class: "xrf-small"}, `${model.items.length} kept`)),
      h("div", {class: "xrf-regions", role: "list", "aria-label": "Regions"}, model.items.map(row))]
  })
}
export default {render}
