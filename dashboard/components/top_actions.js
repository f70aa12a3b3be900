// Undo, redo and help in the top bar.
function render({model, view, el}) {
  const tool = (name, label, keys, enabled, act) => h("button", {class: "xrf-tool", "data-key": act, disabled: !enabled,
    title: `${label} (${keys})`, "aria-label": label, onclick: () => model.send_msg({do: act})}, icon(name))
  show(model, view, el, ["can_undo", "can_redo"], () => h("div", {class: "xrf-tools"},
    tool("undo", "Undo", "Ctrl+Z", model.can_undo, "undo"), tool("redo", "Redo", "Ctrl+Shift+Z", model.can_redo, "redo"),
    tool("help_outline", "Help and keys", "?", true, "help")))
}
export default {render}
