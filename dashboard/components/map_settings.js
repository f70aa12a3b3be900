// Settings of the map: how the picture lies.
function render({model, view, el}) {
  const act = (name, label, hint) => h("button", {class: "xrf-tool xrf-framed", "data-key": name, title: hint ?? label, "aria-label": label,
    onclick: () => model.send_msg({do: name})}, icon(name))
  const section = (title, ...content) => h("section", {class: "xrf-section"}, h("h3", {}, title), ...content)
  show(model, view, el, ["is_cropped", "is_turned"], () => h("div", {class: "xrf-settings"},
    section("Picture",
      h("div", {class: "xrf-actions"},
        act("rotate_left", "Turn left", "Turn the picture by 90° to the left"), act("rotate_right", "Turn right", "Turn the picture by 90° to the right"),
        act("flip", "Flip left and right"), act("flip_down", "Flip top and bottom")),
      h("p", {class: "xrf-hint"}, model.is_cropped ? "A part of the scan is shown. " : "To show a part of the scan, draw a box with the crop tool on the map. ",
        model.is_turned ? "The picture is turned; columns and rows are still told as scanned." : ""),
      (model.is_cropped || model.is_turned) && h("div", {class: "xrf-actions"},
        model.is_cropped && h("button", {class: "xrf-link", "data-key": "uncrop", onclick: () => model.send_msg({do: "uncrop"})}, "Whole scan"),
        h("button", {class: "xrf-link", "data-key": "as_scanned", onclick: () => model.send_msg({do: "as_scanned"})}, "As scanned")))))
}
export default {render}
