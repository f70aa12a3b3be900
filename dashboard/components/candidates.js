// What a peak can be, with what speaks for and against each.
function render({model, view, el}) {
  const open = new Set()
  const unit = (n) => Math.abs(n) >= 1e6 ? [1e6, " M", 1] : Math.abs(n) >= 1e4 ? [1e3, " k", 1] : [1, "", 0]
  const counted = (n, error) => {
    const [size, word, digits] = unit(Math.max(Math.abs(n), error ?? 0))
    const at = (v) => (v / size).toLocaleString("en-US", {minimumFractionDigits: digits, maximumFractionDigits: digits}).replace("-", "−")
    return error == null ? at(n) + word : `${at(n)} ± ${at(error)}${word}`
  }
  const words = {present: "there", absent: "missing", unclear: "cannot tell"}
  const lines = (item) => h("table", {class: "xrf-lines"},
    h("thead", {}, h("tr", {}, ["Line", "keV", "Expected", "Observed", ""].map((t) => h("th", {scope: "col"}, t)))),
    h("tbody", {}, item.lines.map((line) => h("tr", {class: `xrf-${line.state}`},
      h("th", {scope: "row"}, line.name), h("td", {}, line.energy.toFixed(2)), h("td", {}, counted(line.expected)),
      h("td", {}, counted(line.observed, line.error)), h("td", {}, words[line.state])))))
  const row = (item, i) => {
    const more = open.has(item.name) || i == 0
    const head = [h("b", {}, item.name), ...item.tags.map((tag) => h("span", {class: "xrf-tag"}, tag)), h("span", {class: "xrf-grow"}),
      h("small", {title: "Its energy less that of the peak"}, item.distance == null ? "" : `${item.distance > 0 ? "+" : item.distance < 0 ? "−" : "±"}${Math.abs(item.distance)} eV`)]
    const choose = item.element && h("button", {class: "xrf-link", "data-key": `choose-${item.element}`, "aria-pressed": String(item.element == model.value),
      onclick: () => model.send_msg({element: item.element})}, item.element == model.value ? `${item.element} is shown` : `Show ${item.element}`)
    return h("li", {class: "xrf-candidate"},
      item.element ? h("button", {class: "xrf-candidate-head", "data-key": item.name, title: `Show the map and the lines of ${item.element}`,
        onclick: () => model.send_msg({element: item.element})}, head) : h("div", {class: "xrf-candidate-head"}, head),
      h("span", {class: "xrf-bar", style: `--share:${item.share * 100}%`, title: "Share of the peak that the fit gives to it"}),
      h("div", {class: "xrf-row"}, h("small", {}, item.share >= 0.005 ? `${percent(item.share)} of the peak` : "none of the peak in the fit"),
        choose, i > 0 && h("button", {class: "xrf-link", "data-key": `more-${i}`, "aria-expanded": String(more),
          onclick: () => { open.has(item.name) ? open.delete(item.name) : open.add(item.name); update() }}, more ? "Less" : "Why")),
      more && h("p", {class: "xrf-hint"}, item.sentence), more && item.lines.length > 0 && lines(item))
  }
  const update = show(model, view, el, ["title", "sentence", "items", "value", "source", "has_selection", "state"], () => {
    const state = model.state
    const loading = state.kind == "loading"
    return h("div", {class: "xrf-candidates", role: "region", "aria-label": "What the peak can be"},
      h("div", {class: "xrf-row"}, h("h3", {}, model.title), h("button", {class: "xrf-step", "data-key": "close", "aria-label": "Close", title: "Close",
        onclick: () => model.send_msg({act: "close"})}, icon("close"))),
      model.has_selection && h("div", {class: "xrf-segments", role: "group", "aria-label": "Whose spectrum"},
        [["selection", "Selection"], ["scan", "Whole scan"]].map(([value, word]) => h("button", {class: "xrf-segment", "data-key": value,
          "aria-pressed": String(value == model.source), onclick: () => model.send_msg({source: value})}, word))),
      loading && h("div", {role: "status"}, h("p", {class: "xrf-hint"}, state.message), h("div", {class: "xrf-progress", role: "progressbar", "aria-valuenow": Math.round(state.fraction * 100)},
        h("div", {style: `width:${state.fraction * 100}%`}))),
      state.kind == "error" && h("div", {role: "alert"}, h("strong", {class: "xrf-warn"}, state.message), h("p", {class: "xrf-hint"}, state.hint)),
      state.kind == "empty" && h("p", {class: "xrf-hint"}, state.message),
      model.sentence && h("p", {class: "xrf-verdict"}, model.sentence),
      h("ol", {class: "xrf-candidate-list"}, model.items.map(row)))
  })
}
export default {render}
