// The saved views of this scan: a button, and under it the list with a field to save another.
function render({model, view, el}) {
  let open = false, doomed = "", name = ""
  const close = () => { open = false; doomed = ""; update() }
  const key = (event) => {
    if (event.key != "Escape" || !open) return
    event.stopImmediatePropagation()
    close()
    el.querySelector("[data-key=views]")?.focus()
  }
  const outside = (event) => { if (open && !event.composedPath().includes(el)) close() }
  window.addEventListener("keydown", key, true)
  window.addEventListener("pointerdown", outside, true)
  model.on("remove", () => {
    window.removeEventListener("keydown", key, true)
    window.removeEventListener("pointerdown", outside, true)
  })
  const save = () => {
    if (!name.trim()) return
    model.send_msg({save: name})
    name = ""
  }
  const row = (item) => doomed == item.id
    ? h("div", {class: "xrf-menu-row"}, h("span", {class: "xrf-grow"}, `Delete “${item.name}” for everybody?`),
        h("button", {class: "xrf-button", "data-key": "yes", onclick: () => { doomed = ""; model.send_msg({delete: item.id}) }}, "Delete"),
        h("button", {class: "xrf-button", "data-key": "no", onclick: () => { doomed = ""; update() }}, "Keep"))
    : h("div", {class: "xrf-menu-row"},
        h("button", {class: "xrf-menu-item", "data-key": item.id, title: "Open this view", onclick: () => { model.send_msg({open: item.id}); close() }},
          h("b", {}, item.name), h("small", {}, new Date(item.saved_at * 1000).toLocaleString("en-GB", {dateStyle: "medium", timeStyle: "short"}))),
        h("button", {class: "xrf-tool", title: "Delete", "aria-label": `Delete ${item.name}`, onclick: () => { doomed = item.id; update() }}, icon("delete")))
  const update = show(model, view, el, ["items", "error"], () => {
    const field = h("input", {class: "xrf-search", "data-key": "name", placeholder: "Name of this view", "aria-label": "Name of this view", maxlength: 80,
      value: name, oninput: (e) => { name = e.target.value }, onkeydown: (e) => { if (e.key == "Enter") save() }})
    queueMicrotask(() => { field.value = name })
    return [
      h("button", {class: "xrf-button xrf-with-icon", "data-key": "views", "aria-expanded": String(open), "aria-haspopup": "true",
        title: "Views of this scan that were saved by name: element, threshold, selection, regions", onclick: () => { open = !open; update() }},
        icon("bookmark_border"), "Views"),
      open && h("div", {class: "xrf-menu", style: place()},
        h("div", {class: "xrf-menu-row"}, field, h("button", {class: "xrf-button", "data-key": "save", onclick: save}, "Save")),
        model.error && h("p", {class: "xrf-hint xrf-told", role: "alert"}, model.error),
        model.items.length ? h("div", {class: "xrf-menu-list", "data-scroll": "views"}, model.items.map(row))
          : h("p", {class: "xrf-hint"}, "No saved views of this scan yet. A saved view keeps the element, the thresholds, the selection and the regions; everybody who may see the scan can open it."))]
  })
  function place() {
    const box = el.getBoundingClientRect()
    return `top:${box.bottom + 6}px;right:${Math.max(8, window.innerWidth - box.right)}px`
  }
}
export default {render}
