// Found elements by share of the area, what the user says of them, and the rest by search.
function render({model, view, el}) {
  let wanted = ""
  const told = (item) => {
    const area = item.share ? `${percent(item.share)} of the area above its threshold` : item.mapped === false ? "these maps leave it out" : "below its threshold everywhere"
    return item.verdict == "absent" ? `${item.name}: you say it is not here; ${area}`
      : item.verdict == "present" ? `${item.name}: added by you; ${area}`
      : item.instrument ? `${item.name}: ${percent(item.share)} of the area; its lines come from the X-ray tube or the air, whether or not the sample holds it`
      : item.list == "few" ? `${item.name}: in single pixels here and there, ${percent(item.share)} of the area; perhaps a false call` : `${item.name}: ${area}`
  }
  const chip = (item) => h("button", {
    class: `xrf-chip xrf-is-${item.verdict || item.list || "below"}${item.instrument || item.list == "few" ? " xrf-dim" : ""}`,
    "data-key": item.symbol, "aria-pressed": String(item.symbol == model.value), title: told(item),
    onclick: () => { model.value = item.symbol }},
    h("b", {}, item.symbol),
    h("span", {class: "xrf-bar", style: `--share:${(item.share ?? 0) * 100}%`}),
    h("small", {}, item.share ? percent(item.share) : "–"))
  const heading = (text, title) => h("span", {class: "xrf-heading", title}, text)
  const section = (items, text, title) => items.length > 0 && [heading(text, title), items.map(chip)]
  const say = (symbol, verdict) => model.send_msg({symbol, verdict})
  // What can be said of the chosen element, one click each.
  const verdicts = (item) => {
    const {symbol, name} = item, link = (text, verdict, title) =>
      h("button", {class: "xrf-link", "data-key": `say-${verdict}`, title: `${title}. Kept with this data set; undo takes it back`, onclick: () => say(symbol, verdict)}, text)
    if (item.verdict) return link("Take it back", "", `Leave it to what was found whether ${name} is here`)
    const add = link(`Add ${symbol}`, "present", `Say that ${name} is here`)
    const strike = link(`No ${symbol} here`, "absent", `Say that ${name} is not here`)
    return !item.list ? add : item.instrument || item.list == "few" ? [add, strike] : strike
  }
  const update = show(model, view, el, ["found", "all", "value", "note", "problem"], () => {
    const known = new Map(model.found.map((item) => [item.symbol, item]))
    const rest = model.all.filter((item) => !known.has(item.symbol))
    const word = wanted.trim().toLowerCase()
    const match = (item) => !word || item.symbol.toLowerCase().startsWith(word) || item.name.toLowerCase().includes(word)
    const chosen = known.get(model.value) ?? rest.find((i) => i.symbol == model.value)
    const shown = chosen && !known.has(model.value) && match(chosen) ? [chosen] : []
    const listed = (name) => model.found.filter((i) => i.list == name && match(i))
    const search = h("input", {type: "search", class: "xrf-search", "data-key": "search", placeholder: "Search symbol or name",
      "aria-label": "Search an element", value: wanted, oninput: (e) => { wanted = e.target.value; update() },
      onkeydown: (e) => {
        if (e.key != "Enter") return
        const exact = (i) => i.symbol.toLowerCase() == word
        const every = [...model.found, ...rest], first = every.find(exact) ?? every.find(match)
        if (first) { wanted = ""; model.value = first.symbol; update() }
      }})
    queueMicrotask(() => { search.value = wanted; search.setSelectionRange?.(wanted.length, wanted.length) })
    return [
      h("div", {class: "xrf-row"}, h("span", {class: "xrf-label"}, "Element"), h("span", {class: "xrf-small"}, model.note)),
      search,
      h("div", {class: "xrf-chips", "data-scroll": "chips"}, [
        [...shown, ...listed("found")].map(chip),
        section(listed("few"), "In few pixels", "Above their thresholds in single pixels here and there only, as false calls are; not counted as found"),
        section(listed("overruled"), "Not here, as you say", "Kept with this data set; choose one to take it back"),
        section(listed("instrument"), "From the instrument", "Lines of the X-ray tube and of the air: every pixel shows them, whatever the sample holds"),
        word && section(rest.filter(match).filter((i) => !shown.includes(i)), "Below their thresholds", "Nowhere above their thresholds")].flat(3)),
      h("div", {class: "xrf-row"}, h("button", {class: "xrf-link", "data-key": "table", title: "Every element in its place, with what was found of it",
        onclick: () => model.send_msg({table: true})}, "Periodic table"), h("span", {class: "xrf-grow"}), [chosen && verdicts(chosen)].flat()),
      model.problem && h("p", {class: "xrf-hint", role: "alert"}, model.problem)]
  })
}
export default {render}
