// Found elements by share of the area; the rest of the periodic table by search.
function render({model, view, el}) {
  let wanted = "", open = false
  const chip = (item) => h("button", {
    class: item.instrument ? "xrf-chip xrf-dim" : "xrf-chip", "data-key": item.symbol, "aria-pressed": String(item.symbol == model.value),
    title: item.share == null ? `${item.name}: below its threshold everywhere`
      : item.instrument ? `${item.name}: ${percent(item.share)} of the area; its lines come from the X-ray tube or the air, whether or not the sample holds it`
      : `${item.name}: ${percent(item.share)} of the area above its threshold`,
    onclick: () => { model.value = item.symbol }},
    h("b", {}, item.symbol),
    h("span", {class: "xrf-bar", style: `--share:${Math.max(item.share ?? 0, 0) * 100}%`}),
    h("small", {}, item.share == null ? "–" : percent(item.share)))
  const update = show(model, view, el, ["found", "all", "value", "note"], () => {
    const known = new Set(model.found.map((item) => item.symbol))
    const rest = model.all.filter((item) => !known.has(item.symbol) && item.name != null)
    const word = wanted.trim().toLowerCase()
    const match = (item) => !word || item.symbol.toLowerCase().startsWith(word) || item.name.toLowerCase().includes(word)
    const shown = model.value && !known.has(model.value) ? rest.filter((i) => i.symbol == model.value) : []
    const sample = model.found.filter((i) => !i.instrument && match(i)), device = model.found.filter((i) => i.instrument && match(i))
    const search = h("input", {type: "search", class: "xrf-search", "data-key": "search", placeholder: "Search symbol or name",
      "aria-label": "Search an element", value: wanted, oninput: (e) => { wanted = e.target.value; update() },
      onkeydown: (e) => {
        if (e.key != "Enter") return
        const first = [...model.found, ...rest].find(match)
        if (first) { wanted = ""; model.value = first.symbol; update() }
      }})
    queueMicrotask(() => { search.value = wanted; search.setSelectionRange?.(wanted.length, wanted.length) })
    return [
      h("div", {class: "xrf-row"}, h("span", {class: "xrf-label"}, "Element"), h("span", {class: "xrf-small"}, model.note)),
      search,
      h("div", {class: "xrf-chips", "data-scroll": "chips"},
        [...shown.filter(match), ...sample].map(chip),
        device.length > 0 && h("span", {class: "xrf-heading", title: "Lines of the X-ray tube and of the air: every pixel shows them, whatever the sample holds"}, "From the instrument"),
        device.map(chip),
        (open || word) && rest.some(match) && h("span", {class: "xrf-heading"}, "Below their thresholds"),
        (open || word) && rest.filter(match).filter((i) => !shown.includes(i)).map(chip)),
      !word && h("button", {class: "xrf-link", "data-key": "more", onclick: () => { open = !open; update() }},
        open ? "Only found elements" : `All ${model.all.length} elements`)]
  })
}
export default {render}
