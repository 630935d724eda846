// The network panel: makes the connection bad, and shows that nothing is lost.

const COUNTERS = ["sent", "retained", "acked", "received", "repairs"];
const RTT_EVERY_MS = 500;

/** `current()` is the session, if there is one; `ask` sends a message of the game. */
export function networkPanel(current, ask) {
  const element = (id) => document.getElementById(id);
  const counter = (name) => document.querySelector(`[data-testid="counter-${name}"]`);

  // Open where it covers nothing.
  element("network").open = matchMedia("(min-width: 1000px) and (min-height: 780px)").matches;
  element("cut").addEventListener("click", () => current()?.cut());
  element("offline").addEventListener("click", () => current()?.offline(10_000));

  const [delay, loss] = [element("delay"), element("loss")];
  const label = () => {
    element("delay-value").value = `${delay.value} ms`;
    element("loss-value").value = `${loss.value} %`;
  };
  const change = () => {
    label();
    ask({ ask: "link", delay_ms: Number(delay.value), loss_percent: Number(loss.value) });
  };
  for (const slider of [delay, loss]) {
    slider.addEventListener("input", label);
    slider.addEventListener("change", change);
  }

  // A browser puts the sliders back after a reload, and the node kept the link as it was.
  addEventListener("pageshow", label);

  setInterval(() => {
    const rtt = current()?.rtt();
    counter("rtt").textContent = rtt === undefined ? "-" : `${Math.round(rtt)} ms`;
  }, RTT_EVERY_MS);

  return {
    /** Shows the counters of a session. */
    show(stats) {
      for (const name of COUNTERS) counter(name).textContent = stats[name];
    },
    /** A new session has a good link. */
    reset() {
      delay.value = loss.value = 0;
      label();
    },
  };
}
