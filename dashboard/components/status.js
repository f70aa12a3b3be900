// The status bar with its tray of jobs; the keys of the page, the address bar (replaced, not pushed: no step
// back by mistake), and a lost connection.
function render({model, view, el}) {
  const address = () => {
    if (model.query) window.history.replaceState({}, "", window.location.pathname + model.query + window.location.hash)
  }
  model.on("query", address)
  address()
  const page = [...view.model.document.all_models].find((m) => m.class_name == "Page")
  const theme = () => { document.documentElement.dataset.xrfTheme = page?.data.dark_theme ? "dark" : "light" }
  page?.data.properties.dark_theme.change.connect(theme)
  theme()

  // "Ctrl+Shift+Z" → act. Letters and signs count without Ctrl only, lest the browser's own keys are taken.
  const spelled = (event) => {
    const key = event.key.length == 1 ? event.key.toUpperCase() : event.key
    const ctrl = event.ctrlKey || event.metaKey
    return (ctrl ? "Ctrl+" : "") + (ctrl && event.shiftKey ? "Shift+" : "") + (key == "Escape" ? "Esc" : key)
  }
  const search = () => {
    for (const host of deep(document, ".xrf-search[type=search]")) { host.focus(); host.select(); return }
  }
  const key = (event) => {
    const at = event.composedPath()[0]
    if (["INPUT", "TEXTAREA", "SELECT"].includes(at?.tagName) || at?.isContentEditable || event.altKey) return
    const act = model.keys[spelled(event)]
    if (!act) return
    event.preventDefault()
    if (act == "search") search()
    else model.send_msg({key: act})
  }
  window.addEventListener("keydown", key)

  // What is on the page stays; as soon as the server answers the page is loaded again, and the address leads
  // back to the very view.
  const veil = h("div", {class: "xrf-lost", role: "alert", style: "display:none"},
    h("strong", {}, "The connection to the server was lost."), h("span", {}, "What you see stays as it is. This page comes back by itself as soon as the server answers."),
    h("button", {class: "xrf-button", onclick: () => window.location.reload()}, "Try now"))
  let asking = null
  view.model.document.on_event("connection_lost", () => {
    veil.style.display = ""
    asking ??= setInterval(async () => {
      try { if ((await fetch(model.ping, {method: "HEAD", cache: "no-store"})).ok) window.location.reload() }
      catch { /* not yet; asked again in a moment */ }
    }, 2000)
  })
  model.on("remove", () => { window.removeEventListener("keydown", key); clearInterval(asking) })

  const left = (job) => job.remaining == null ? "" : job.remaining < 90 ? `${Math.max(1, Math.round(job.remaining))} s left`
    : `${Math.round(job.remaining / 60)} min left`
  let open = false
  const bar = (job) => h("span", {class: "xrf-progress", role: "progressbar", "aria-label": job.label, "aria-valuenow": Math.round(job.fraction * 100)},
    h("div", {style: `width:${job.fraction * 100}%`}))
  const cancel = (job) => h("button", {class: "xrf-link", "data-key": `cancel-${job.id}`, "aria-label": `Cancel ${job.label}`, onclick: () => model.send_msg({cancel: job.id})}, "cancel")
  const tray = () => h("div", {class: "xrf-menu xrf-tray"}, model.jobs.map((job) => h("div", {class: "xrf-menu-row"},
    h("span", {class: "xrf-grow"}, h("b", {}, job.label), h("small", {}, [job.message, left(job)].filter(Boolean).join(", ") || "waiting")), bar(job), cancel(job))))
  const first = () => model.jobs[0]
  const update = show(model, view, el, ["facts", "jobs"], () => {
    if (!model.jobs.length) open = false
    return [h("div", {class: "xrf-statusbar"},
      model.facts.map((fact) => h("span", {title: fact[1]}, fact[0])),
      h("span", {class: "xrf-grow"}),
      model.jobs.length > 1 && h("button", {class: "xrf-link", "data-key": "jobs", "aria-expanded": String(open), onclick: () => { open = !open; update() }},
        `${model.jobs.length} jobs`),
      model.jobs.length > 0 && h("span", {class: "xrf-job", title: first().message},
        h("span", {}, [first().label, left(first())].filter(Boolean).join(", ")), bar(first()), cancel(first()))),
      open && tray(), veil]
  })
}
// All nodes that match, in shadow roots, too.
function* deep(root, wanted) {
  for (const node of root.querySelectorAll("*")) {
    if (node.matches(wanted)) yield node
    if (node.shadowRoot) yield* deep(node.shadowRoot, wanted)
  }
}
export default {render}
