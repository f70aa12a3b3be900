// One line under a map: what the pointer is at. Told in the browser, by the key.
function render({model, view, el}) {
  adopt(view)
  const line = h("div", {class: "xrf-readout", "aria-live": "off"})
  const tell = (text) => { line.textContent = text || model.idle }
  window.__xrf_readouts ??= new Map()
  window.__xrf_readouts.set(model.key, tell)
  model.on("remove", () => { if (window.__xrf_readouts.get(model.key) === tell) window.__xrf_readouts.delete(model.key) })
  model.on("idle", () => tell(""))
  tell("")
  el.replaceChildren(line)
}
export default {render}
