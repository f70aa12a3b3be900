function render({model, view, el}) {
  adopt(view)
  const button = h("button", {class: "xrf-button", title: "Copy a link that opens this very view"}, "Copy link")
  button.addEventListener("click", async () => {
    const url = window.location.href
    let done = false
    try { await navigator.clipboard.writeText(url); done = true }
    catch {
      // Without https the clipboard is closed to scripts; the old way still works.
      const field = h("textarea", {style: "position:fixed;opacity:0"})
      field.value = url
      document.body.append(field)
      field.select()
      done = document.execCommand("copy")
      field.remove()
    }
    button.textContent = done ? "Link copied" : "Copy it from the address bar"
    setTimeout(() => { button.textContent = "Copy link" }, 2000)
  })
  el.replaceChildren(button)
}
export default {render}
