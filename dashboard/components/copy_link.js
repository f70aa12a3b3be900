// Asks the server to keep what does not fit into a link, then copies the link.
function render({model, view, el}) {
  adopt(view)
  const button = h("button", {class: "xrf-button", title: "Copy a link that opens this very view, with its selection and regions"}, "Copy link")
  const tell = (text) => {
    button.textContent = text
    setTimeout(() => { button.textContent = "Copy link" }, 2500)
  }
  button.addEventListener("click", () => model.send_msg({ask: true}))
  model.on("answers", async () => {
    if (!model.link) return tell("Not kept: see below")
    const url = window.location.origin + window.location.pathname + model.link
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
    tell(done ? "Link copied" : "Copy it from the address bar")
  })
  el.replaceChildren(button)
}
export default {render}
