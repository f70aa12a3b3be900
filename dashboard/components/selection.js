// The current selection; Enter keeps it as a region, Escape (in the status bar) clears it.
function render({model, view, el}) {
  const keep = () => model.send_msg({keep: true})
  const key = (event) => {
    if (event.key != "Enter" || event.repeat || event.ctrlKey || event.metaKey || event.defaultPrevented || is_typing(event)) return
    const at = event.composedPath()[0]
    if (at?.tagName == "INPUT" || at?.closest?.("[role=combobox]")) return
    // Enter on a button that was reached by keys is that button's. One that was clicked, such as the
    // cluster that is now selected, has had its click: Enter keeps the selection.
    if (at?.closest?.("button, a, [role=button]")) {
      if (!pointed || !model.title) return
      event.preventDefault()
    }
    keep()  // also where the spectrum is still on its way
  }
  let pointed = false
  const heed = (event) => { if (event.key != "Enter") pointed = event.type == "pointerdown" }
  const heard = [["keydown", heed, true], ["pointerdown", heed, true], ["keydown", key]]
  for (const each of heard) window.addEventListener(...each)
  model.on("remove", () => { for (const each of heard) window.removeEventListener(...each) })
  show(model, view, el, ["title", "detail", "items", "instrument", "value", "busy", "above"], () => [
    h("div", {class: "xrf-row"}, h("span", {class: "xrf-label"}, "Selection"),
      model.title && h("button", {class: "xrf-link", "data-key": "clear", title: "Clear the selection (Esc)", onclick: () => model.send_msg({clear: true})}, "clear")),
    model.title ? h("div", {class: "xrf-selected"}, h("i", {style: `background:${model.colour}`}), h("span", {}, model.title), h("small", {}, model.detail))
      : h("p", {class: "xrf-hint"}, "Draw on the map or on the embedding, or choose a cluster. The spectrum and the elements of what you choose appear here."),
    model.title && h("button", {class: "xrf-button xrf-wide", "data-key": "keep", title: "Keep the selection as a region with a name and a colour (Enter)", onclick: keep}, "Keep as region"),
    model.above && h("button", {class: "xrf-link", "data-key": "above", title: "Select the pixels of the map that are above the threshold; Add, Take away and Overlap hold here, too",
      onclick: () => model.send_msg({above: true})}, `Select where ${model.above}`),
    model.title && h("div", {class: "xrf-found", "data-scroll": "found"}, model.items.map((item) => h("button", {
      class: "xrf-prob", "data-key": item.symbol, "aria-pressed": String(item.symbol == model.value),
      title: `Probability that ${item.name} is visible here: ${item.probability.toFixed(3)}`,
      onclick: () => { model.value = item.symbol }},
      h("b", {}, item.symbol), h("span", {class: "xrf-bar", style: `--share:${item.probability * 100}%`}), h("small", {}, item.probability.toFixed(2))))),
    model.title && !model.items.length && h("p", {class: "xrf-hint"}, model.busy ? "Identifying…" : "No element is above its threshold in this spectrum."),
    model.title && model.instrument && h("p", {class: "xrf-hint", "data-key": "instrument", title: "Tube, air or metal near the beam show lines of these elements, whether or not they are in the sample"},
      `Of the instrument: ${model.instrument}`)])
}
export default {render}
