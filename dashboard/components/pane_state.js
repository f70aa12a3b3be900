// Empty, loading and error of a pane, over its content. Without a message it lets everything through.
function render({model, view, el}) {
  const draw = () => {
    view.el.style.pointerEvents = "none"
    if (model.kind == "ready") return null
    const is_error = model.kind == "error"
    const bar = model.kind == "loading" && h("div", {class: "xrf-progress", role: "progressbar", "aria-label": model.message, "aria-valuenow": Math.round(model.fraction * 100)},
      h("div", {style: model.fraction > 0 ? `width:${model.fraction * 100}%` : "", class: model.fraction > 0 ? "" : "xrf-unknown"}))
    const button = model.action && h("button", {class: "xrf-button", onclick: () => model.send_msg({action: model.action})}, model.action)
    return h("div", {class: `xrf-state xrf-${model.kind} ${model.covers ? "xrf-covers" : "xrf-corner"}`, role: is_error ? "alert" : "status"},
      model.covers && model.kind == "loading" && h("div", {class: "xrf-place"}),
      h("div", {class: "xrf-state-box"}, h("strong", {}, model.message), model.hint && h("span", {}, model.hint), bar, button))
  }
  show(model, view, el, ["kind", "message", "hint", "fraction", "action", "covers"], draw)
}
export default {render}
