// Shared by every component; put before its own code.
const SHEET_MARK = "xrf-style"
function adopt(view) {
  const root = view.shadow_el ?? view.el.shadowRoot
  if (!root) return
  if (!window.__xrf_sheet) {
    const style = [...document.querySelectorAll("style")].find((s) => s.textContent.includes(SHEET_MARK))
    if (!style) return
    window.__xrf_sheet = new CSSStyleSheet()
    window.__xrf_sheet.replaceSync(style.textContent)
  }
  if (!root.adoptedStyleSheets.includes(window.__xrf_sheet))
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, window.__xrf_sheet]
}
function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag)
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value)
    else if (key == "style") node.style.cssText = value
    else node.setAttribute(key, value === true ? "" : value)
  }
  for (const child of children.flat())
    if (child != null && child !== false) node.append(child)
  return node
}
const thousands = (n) => Math.round(n).toLocaleString("en-US")
const percent = (share) => share >= 0.0995 ? `${Math.round(share * 100)} %`
  : share >= 0.001 ? `${(share * 100).toFixed(1)} %` : "<0.1 %"
// Show `draw()` now and whenever one of the parameters changes; the focus stays where it was.
// `drawn()` is called each time it stands.
function show(model, view, el, names, draw, drawn) {
  adopt(view)
  const update = () => {
    const root = el.getRootNode()
    const focused = root.activeElement?.dataset?.key
    const scrolls = [...el.querySelectorAll("[data-scroll]")].map((n) => [n.dataset.scroll, n.scrollTop, n.scrollLeft])
    el.replaceChildren(...[draw()].flat().filter((n) => n != null && n !== false && n !== ""))
    for (const [key, top, left] of scrolls) {
      const node = el.querySelector(`[data-scroll="${key}"]`)
      if (node) Object.assign(node, {scrollTop: top, scrollLeft: left})
    }
    if (focused) el.querySelector(`[data-key="${focused}"]`)?.focus()
    drawn?.()
  }
  // Values that change together come one after the other: drawn is what they are in the end.
  let due = false
  const later = () => {
    if (due) return
    due = true
    queueMicrotask(() => { due = false; update() })
  }
  for (const name of names) model.on(name, later)
  update()
  return update
}
// Whether a key goes to a field, a list or an open menu, and is none of the page's.
function is_typing(event) {
  const at = event.composedPath()[0]
  if (at?.tagName == "INPUT") return !["range", "checkbox", "radio", "button"].includes(at.type)
  return ["TEXTAREA", "SELECT"].includes(at?.tagName) || at?.isContentEditable || !!at?.closest?.("[role=menu], [role=listbox][tabindex], [role=dialog]")
}
