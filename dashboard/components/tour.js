// Five steps for a first visit; beside the panes, which stay in use. Shown once a browser, and again when asked.
const SEEN = "xrf-tour-seen"
function render({model, view, el}) {
  adopt(view)
  let at = -1
  const frame = h("div", {class: "xrf-tour-frame"})
  const card = h("div", {class: "xrf-tour", role: "dialog", "aria-label": "Introduction"})
  const remember = () => { try { window.localStorage.setItem(SEEN, "1") } catch { /* a private window forgets it */ } }
  const seen = () => { try { return window.localStorage.getItem(SEEN) == "1" } catch { return true } }
  const stop = () => { at = -1; remember(); draw() }
  const go = (step) => { at = step; if (at >= model.steps.length) stop(); else draw() }
  const find = (name) => {
    const search = (root) => {
      const hit = root.querySelector(`.${name}`)
      if (hit) return hit
      for (const node of root.querySelectorAll("*")) {
        const inner = node.shadowRoot && search(node.shadowRoot)
        if (inner) return inner
      }
    }
    return search(document)
  }
  const draw = () => {
    const step = model.steps[at], box = step && find(step.at)?.getBoundingClientRect()
    if (!box) { el.replaceChildren(); return }
    frame.style.cssText = `left:${box.left}px;top:${box.top}px;width:${box.width}px;height:${box.height}px`
    // Beside the pane where there is room, else within it.
    const width = 320, room = window.innerWidth - box.right >= width + 24
    const left = room ? box.right + 12 : box.left >= width + 24 ? box.left - width - 12 : box.left + 12
    const top = Math.max(56, Math.min(box.top + 12, window.innerHeight - 220))
    card.style.cssText = `left:${left}px;top:${top}px;width:${width}px`
    card.replaceChildren(h("small", {}, `${at + 1} of ${model.steps.length}`), h("h2", {}, step.title), h("p", {}, step.text),
      h("div", {class: "xrf-row"}, h("button", {class: "xrf-link", onclick: stop}, "Skip"), h("span", {class: "xrf-grow"}),
        at > 0 && h("button", {class: "xrf-button", onclick: () => go(at - 1)}, "Back"),
        h("button", {class: "xrf-button xrf-primary", onclick: () => go(at + 1)}, at + 1 < model.steps.length ? "Next" : "Done")))
    el.replaceChildren(frame, card)
    card.querySelector(".xrf-primary").focus({preventScroll: true})
  }
  const key = (event) => {
    if (event.key != "Escape" || at < 0) return
    event.stopImmediatePropagation()
    stop()
  }
  window.addEventListener("keydown", key, true)
  window.addEventListener("resize", draw)
  model.on("remove", () => { window.removeEventListener("keydown", key, true); window.removeEventListener("resize", draw) })
  model.on("starts", () => go(0))
  model.on("ready", () => { if (model.ready && !seen()) go(0) })
  if (model.ready && !seen()) go(0)
}
export default {render}
