function render({model, view, el}) {
  show(model, view, el, ["items", "value"], () => h("div", {class: "xrf-list", "data-scroll": "list", role: "listbox", "aria-label": "Clusters"},
    model.items.map((item) => h("button", {
      class: "xrf-cluster", "data-key": `c${item.label}`, role: "option", disabled: item.label < 0,
      "aria-selected": String(item.label === model.value),
      title: item.label < 0 ? "Pixels that belong to no cluster" : `Select the ${thousands(item.size)} pixels of cluster ${item.label + 1}`,
      onclick: () => { model.value = item.label === model.value ? null : item.label }},
      h("i", {style: `background:${item.colour}`}), h("b", {}, item.label < 0 ? "–" : String(item.label + 1)),
      h("span", {class: "xrf-num"}, percent(item.share)),
      h("span", {class: "xrf-els"}, h("small", {}, `${thousands(item.size)} px`),
        item.label < 0 ? "unassigned" : item.elements.join(" ") || "no element found")))))
}
export default {render}
