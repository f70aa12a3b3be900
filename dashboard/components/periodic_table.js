// Every element in its place, with what was found of it; keys as in a grid.
const PLACES = [[1, 1, 1, 1], [2, 2, 1, 18], [3, 4, 2, 1], [5, 10, 2, 13], [11, 12, 3, 1], [13, 18, 3, 13], [19, 36, 4, 1], [37, 54, 5, 1],
  [55, 56, 6, 1], [57, 71, 9, 3], [72, 86, 6, 4], [87, 88, 7, 1], [89, 92, 10, 3]]  // first and last number, row, column
const place = (number) => {
  const [first, , row, column] = PLACES.find(([a, b]) => a <= number && number <= b)
  return {row, column: column + number - first}
}
function render({model, view, el}) {
  const say = (symbol, verdict) => model.send_msg({symbol, verdict})
  const toMap = () => model.send_msg({show: true})
  const value = (v) => model.kind == "probability" ? v.toFixed(2) : v >= 100 ? thousands(v) : v.toFixed(1)
  const mean = () => model.kind == "probability" ? "mean probability" : "mean net counts per pixel"
  const told = (cell, item) => !cell.known ? (cell.number < 11 ? "lighter than sodium: its X-rays are too soft to be seen" : "the model does not know it")
    : [item?.verdict == "absent" ? "you say it is not here" : item?.verdict == "present" ? "added by you" : item?.list == "few" ? "in few pixels, perhaps a false call"
        : item?.instrument ? "from the X-ray tube or the air" : "",
      item?.share ? `${percent(item.share)} of the area above its threshold, ${mean()} there ${value(item.strength)}`
        : cell.measured ? "below its threshold everywhere" : "not in the fit: its lines do not show in the scan's summed spectrum"].filter(Boolean).join("; ")
  // What a second action does: it takes away, adds, or takes its own word back.
  const next = (item) => item?.verdict ? "" : item && item.list != "few" ? "absent" : "present"
  const move = (from, key) => {
    const cells = model.cells.filter((c) => c.known).map((c) => ({...place(c.number), symbol: c.symbol}))
    const here = cells.find((c) => c.symbol == from), across = key == "ArrowLeft" || key == "ArrowRight", sign = key == "ArrowRight" || key == "ArrowDown" ? 1 : -1
    const ahead = (c) => (across ? c.column - here.column : c.row - here.row) * sign
    const aside = (c) => Math.abs(across ? c.row - here.row : c.column - here.column)
    const best = cells.filter((c) => ahead(c) > 0).sort((a, b) => aside(a) * 40 + ahead(a) - aside(b) * 40 - ahead(b))[0]
    if (best && (!across || aside(best) == 0)) return best.symbol
    const order = cells.findIndex((c) => c.symbol == from) + sign
    return across ? cells[order]?.symbol : undefined
  }
  const focus = (symbol) => {
    const button = symbol && el.querySelector(`[data-key="${symbol}"]`)
    if (!button) return
    for (const other of el.querySelectorAll(".xrf-cell[tabindex='0']")) other.tabIndex = -1
    button.tabIndex = 0
    button.focus()
  }
  const keys = (event, cell, item) => {
    if (event.key.startsWith("Arrow")) { event.preventDefault(); focus(move(cell.symbol, event.key)) }
    else if (event.key == "Enter" && cell.symbol == model.value) { event.preventDefault(); toMap() }
    else if (event.key == "Delete") say(cell.symbol, item?.verdict == "absent" ? "" : "absent")
    else if (event.key == "+") say(cell.symbol, item?.verdict == "present" ? "" : "present")
  }
  const button = (cell, item, entry) => {
    const at = place(cell.number), style = `grid-row:${at.row};grid-column:${at.column};--share:${(item?.share ?? 0) * 100}%;--strength:${tint(item).toFixed(3)}`
    if (!cell.known) return h("span", {class: "xrf-cell xrf-unknown", style, title: `${cell.name}: ${told(cell)}`}, h("b", {}, cell.symbol))
    const second = {"": "leave it as found", absent: "say that it is not here", present: "add it"}[next(item)]
    return h("button", {style, "data-key": cell.symbol, tabindex: cell.symbol == entry ? 0 : -1,
      class: `xrf-cell xrf-is-${item?.verdict || item?.list || "below"}${item?.instrument ? " xrf-dim" : ""}`, "aria-pressed": String(cell.symbol == model.value),
      "aria-label": `${cell.symbol} ${cell.name}: ${told(cell, item)}`,
      title: `${cell.name} (${cell.number})\n${cell.lines.map(([name, kev]) => `${name} ${kev.toFixed(2)} keV`).join(", ") || "no line in the measured range"}\n${told(cell, item)}\nRight click: ${second}`,
      onclick: () => { model.value = cell.symbol }, ondblclick: toMap, onkeydown: (e) => keys(e, cell, item),
      oncontextmenu: (e) => { e.preventDefault(); say(cell.symbol, next(item)) }},
      h("b", {}, cell.symbol), h("small", {}, item?.share ? percent(item.share) : item ? "–" : ""), item && h("span", {class: "xrf-bar"}))
  }
  const tint = (item) => {
    if (!item?.share) return 0
    if (model.kind == "probability") return Math.max(0, Math.min(1, 2 * item.strength - 1))
    const top = Math.max(...model.found.filter((i) => !i.instrument).map((i) => i.strength), 1)
    return Math.max(0, Math.min(1, Math.log10(1 + item.strength) / Math.log10(1 + top)))
  }
  const detail = (cell, item) => {
    if (!cell) return h("div", {class: "xrf-about"}, h("p", {class: "xrf-hint"}, "Choose an element to see its map and its lines."))
    const choice = (verdict, text, title) => h("button", {class: "xrf-button xrf-toggle", "data-key": `say-${verdict}`, title, "aria-pressed": String((item?.verdict ?? "") == verdict),
      onclick: () => say(cell.symbol, verdict)}, text)
    const {src, top, threshold} = model.detail.symbol == cell.symbol ? model.detail : {}
    const facts = [item?.share ? `${percent(item.share)} of the area above the threshold${threshold == null ? "" : ` of ${value(threshold)}`}; ${mean()} there ${value(item.strength)}`
        : top == null ? told(cell, item) : `Below the threshold of ${value(threshold)} everywhere; at most ${value(top)}`,
      item?.share && !item.verdict && item.list == "few" && "In few pixels: perhaps a false call",
      item?.instrument && "Its lines come from the X-ray tube or the air, whether or not the sample holds it", model.problem].filter(Boolean)
    return h("div", {class: "xrf-about"},
      h("div", {class: "xrf-about-map"}, src ? h("img", {src, alt: `Map of ${cell.name}`, title: "Show this map", onclick: toMap}) : null),
      h("div", {class: "xrf-about-text"}, h("h3", {}, `${cell.symbol} ${cell.name}`, h("small", {}, ` ${cell.number}`)), facts.map((text) => h("p", {}, text)),
        h("p", {class: "xrf-lines"}, cell.lines.length ? cell.lines.map(([name, kev]) => h("span", {}, `${name} ${kev.toFixed(2)} keV`)) : "No line in the measured range"),
        h("div", {class: "xrf-verdicts"}, h("span", {role: "group", "aria-label": `Is ${cell.name} here`, class: "xrf-group"},
          choice("", "As found", `Leave it to what was found whether ${cell.name} is here`), choice("present", "It is here", `Say that ${cell.name} is here; kept with this data set`),
          choice("absent", "Not here", `Say that ${cell.name} is not here; kept with this data set`)),
          h("button", {class: "xrf-button xrf-primary", "data-key": "show", title: "Close the table and show the map (Enter)", onclick: toMap}, "Show the map"))))
  }
  const legend = () => h("div", {class: "xrf-table-legend"}, [["xrf-is-found", "bar: share of the area above the threshold", "--share:60%"],
    ["xrf-is-found", `tint: ${mean()} there`, "--strength:1"], ["xrf-is-few", "in few pixels"], ["xrf-is-present", "added by you"], ["xrf-is-absent", "not here, as you say"],
    ["xrf-unknown", "the model does not know it"]].map(([kind, text, style]) => h("span", {}, h("i", {class: `xrf-cell ${kind}`, style},
      h("b", {}, kind == "xrf-is-absent" || kind == "xrf-is-present" ? "X" : ""), style?.startsWith("--share") && h("span", {class: "xrf-bar"})), text)))
  show(model, view, el, ["cells", "found", "value", "kind", "detail", "problem"], () => {
    const items = new Map(model.found.map((item) => [item.symbol, item]))
    const chosen = model.cells.find((c) => c.symbol == model.value && c.known)
    const entry = chosen?.symbol ?? model.cells.find((c) => c.known)?.symbol
    return h("div", {class: "xrf-table"}, h("div", {class: "xrf-table-grid", role: "group", "aria-label": "Periodic table"},
      model.cells.map((cell) => button(cell, items.get(cell.symbol), entry)),
      h("span", {class: "xrf-series", style: "grid-row:6;grid-column:3"}, "57–71"), h("span", {class: "xrf-series", style: "grid-row:7;grid-column:3"}, "89–92"),
      detail(chosen, items.get(model.value))), legend())
  })
  model.on("opened", () => requestAnimationFrame(() => focus(model.value)))
}
export default {render}
