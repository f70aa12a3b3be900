function render({model, view, el}) {
  const close = () => model.send_msg({close: true})
  const key = (event) => {
    if (event.key != "Escape" || !el.isConnected || !view.el.getClientRects().length) return
    event.stopImmediatePropagation()
    close()
  }
  window.addEventListener("keydown", key, true)
  model.on("remove", () => window.removeEventListener("keydown", key, true))
  show(model, view, el, ["text"], () => h("div", {class: "xrf-stagebar"}, h("h2", {}, model.text),
    h("button", {class: "xrf-tool", title: "Close (Esc)", "aria-label": `Close ${model.text}`, "data-key": "close", onclick: close}, icon("close"))))
}
export default {render}
