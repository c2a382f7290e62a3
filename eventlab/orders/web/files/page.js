// The page of the shop: orders go in by Socket.IO, steps of orders by REST, and nothing changes on
// the page until its event has come back from Kafka. All text is set as text, never as HTML.

import {connect} from "./socketio.js";

const TYPE = "example.eventlab.";
const PATH = ["created", "paid", "partly shipped", "shipped", "delivered"];
const ENDS = ["cancelled", "refunded"];
const STATES = {
  connecting: "Connecting ...",
  connected: "Connected: events of the orders below arrive as they happen.",
  away: "Not connected. Trying again ...",
  refused: "This page is of an earlier start of the server. Ask it for a new address.",
};
const ACTIONS = { // by status: what can be asked for next
  "created": [["Pay", "payments", card => ({amount: card.total, method: "card"})],
              ["Cancel", "cancellation", () => ({reason: "Cancelled on the page"})]],
  "paid": [["Ship all", "shipments", () => ({carrier: "Snail Express"})],
           ["Refund", "refund", () => ({method: "card"})]],
  "partly shipped": [["Ship the rest", "shipments", () => ({carrier: "Snail Express"})]],
  "shipped": [["Deliver", "deliveries", card => ({shipment_id: [...card.road][0]})]],
  "delivered": [["Refund", "refund", () => ({method: "card"})]],
};

const $ = id => document.getElementById(id);
const cards = new Map();
const basket = new Map();
const prices = new Map();
let token, socket;

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function say(text) {
  $("message").textContent = text;
}

// The token -----------------------------------------------------------------------------------

async function enter() {
  const code = location.hash.slice(1);
  if (code) {
    history.replaceState(null, "", location.pathname); // it is used up now
    const answer = await fetch("/session", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({code}),
    });
    if (answer.ok) sessionStorage.setItem("token", (await answer.json()).token);
  }
  return sessionStorage.getItem("token");
}

async function ask(path, body) {
  const headers = {Authorization: `Bearer ${token}`};
  const options = body === undefined ? {headers} : {
    method: "POST",
    headers: {...headers, "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID()},
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail ?? told.title);
  return told;
}

// Placing an order ------------------------------------------------------------------------------

async function fillCatalogue() {
  let after = "";
  do {
    const page = await ask(`/products?limit=100${after && `&after=${encodeURIComponent(after)}`}`);
    for (const {product_id, name, unit_price} of page.products) {
      prices.set(product_id, {name, unit_price});
      const option = element("option", `${name}, ${unit_price}`);
      option.value = product_id;
      $("product").append(option);
    }
    after = page.next;
  } while (after);
  if (!prices.size) say("The catalogue is empty: list products first.");
}

function add() {
  if (!$("quantity").reportValidity() || !$("product").value) return;
  const product = $("product").value;
  basket.set(product, (basket.get(product) ?? 0) + Number($("quantity").value));
  showBasket();
}

function showBasket() {
  $("basket").replaceChildren(...[...basket].map(([product, quantity]) => {
    const line = element("li", `${quantity} × ${prices.get(product).name} `);
    const remove = element("button", "Remove");
    remove.type = "button";
    remove.setAttribute("aria-label", `Remove ${prices.get(product).name}`);
    remove.onclick = () => { basket.delete(product); showBasket(); };
    line.append(remove);
    return line;
  }));
}

async function place(event) {
  event.preventDefault();
  if (!basket.size) add();
  const items = [...basket].map(([product_id, quantity]) => ({product_id, quantity}));
  const told = await call("place_order", {customer_id: $("customer").value, items}, crypto.randomUUID());
  if (!told) return;
  basket.clear();
  showBasket();
  remember(told.order_id);
  show(cardOf(told.order_id));
}

async function call(...what) {
  say("");
  try {
    const told = await socket.call(...what);
    if (!told.problem) return told;
    say(told.problem.detail ?? told.problem.title);
  } catch (error) {
    say(error.message);
  }
}

// Watching orders -------------------------------------------------------------------------------

function followed() {
  return JSON.parse(sessionStorage.getItem("orders") ?? "[]");
}

function remember(id) {
  sessionStorage.setItem("orders", JSON.stringify([...new Set([...followed(), id])].slice(-50)));
}

async function follow(id) {
  const told = await call("follow", id);
  if (!told) return;
  remember(id);
  const card = cardOf(id);
  if (told.order && rank(status(told.order)) > rank(card.status)) begin(card, told.order);
  show(card);
}

function cardOf(id) {
  if (!cards.has(id)) {
    const article = $("card").content.cloneNode(true).firstElementChild;
    article.querySelector("h3").textContent = id;
    article.dataset.order = id;
    $("orders").prepend(article);
    $("none").hidden = true;
    cards.set(id, {id, article, status: "", total: "", about: "", left: new Map(), road: new Set(),
                   past: new Set(), events: new Map()});
  }
  return cards.get(id);
}

function status(order) {
  return order.status.replace("_", " ");
}

function rank(status) {
  return [...PATH, ...ENDS].indexOf(status);
}

function begin(card, order) { // as the tables have it: further than the events that came here
  card.left.clear();
  card.road.clear();
  order.items.forEach(item => count(card.left, item, 1));
  for (const parcel of order.shipments) {
    parcel.items.forEach(item => count(card.left, item, -1));
    if (!parcel.delivered) card.road.add(parcel.shipment_id);
  }
  card.total = order.total_amount;
  card.about = about(order.customer_id, order.items, order.total_amount, order.currency);
  become(card, status(order));
}

function count(left, {product_id, quantity}, sign) {
  left.set(product_id, (left.get(product_id) ?? 0) + sign * quantity);
}

function about(customer, items, total, currency) {
  const what = items.map(({product_id, quantity}) => `${quantity} × ${product_id}`).join(", ");
  return `${what} for ${customer}: ${total} ${currency}`;
}

function become(card, status) {
  card.status = status;
  $("news").textContent = `Order ${card.id} is ${status}.`; // for those who listen to the page
  const before = PATH.slice(0, Math.max(PATH.indexOf(status), 0));
  for (const each of [...before.filter(each => each !== "partly shipped"), status]) card.past.add(each);
}

const HAPPENED = {
  "order.created"(card, {items, customer_id, currency}) {
    items.forEach(item => count(card.left, item, 1));
    const cents = items.reduce((sum, {unit_price, quantity}) =>
      sum + BigInt(unit_price.replace(".", "")) * BigInt(quantity), 0n).toString().padStart(3, "0");
    card.total = `${cents.slice(0, -2)}.${cents.slice(-2)}`;
    card.about = about(customer_id, items, card.total, currency);
    become(card, "created");
  },
  "order.paid": card => become(card, "paid"),
  "shipment.sent"(card, {items, shipment_id}) {
    items.forEach(item => count(card.left, item, -1));
    card.road.add(shipment_id);
    become(card, [...card.left.values()].some(left => left > 0) ? "partly shipped" : "shipped");
  },
  "shipment.delivered"(card, {shipment_id}) {
    card.road.delete(shipment_id);
    if (card.status === "shipped" && !card.road.size) become(card, "delivered");
  },
  "order.cancelled": card => become(card, "cancelled"),
  "order.refunded": card => become(card, "refunded"),
};

function happened(event) {
  const card = cardOf(event.order_id);
  if (card.events.has(event.event_id)) return; // delivered at least once, shown once
  card.events.set(event.event_id, event);
  HAPPENED[event.type.replace(TYPE, "")]?.(card, event.data);
  show(card);
}

function show(card) {
  const find = selector => card.article.querySelector(selector);
  find(".about").textContent = card.about || "Accepted; its event is on the way.";
  find(".path").replaceChildren(...steps(card));
  find(".actions").replaceChildren(...(ACTIONS[card.status] ?? []).map(action => button(card, action)));
  find("summary").textContent = `Events: ${card.events.size}`;
  find("tbody").replaceChildren(...[...card.events.values()].map(event => {
    const row = document.createElement("tr");
    const cells = [event.time.slice(11, 19), event.type.replace(TYPE, ""), event.partition, event.offset];
    row.append(...cells.map(cell => element("td", cell)));
    return row;
  }));
}

function steps(card) {
  const ends = ENDS.includes(card.status);
  const wanted = [...PATH, ...ENDS].filter(status => card.past.has(status) ||
    (!ends && PATH.includes(status) && status !== "partly shipped"));
  return wanted.map(status => {
    const now = status === card.status;
    const step = element("li", status, now ? "now" : card.past.has(status) ? "done" : "");
    if (now) step.setAttribute("aria-current", "step");
    step.prepend(card.past.has(status) && !now ? "✓ " : "");
    return step;
  });
}

function button(card, [name, path, body]) {
  const made = element("button", name);
  made.onclick = async () => {
    made.disabled = true;
    say("");
    try {
      await ask(`/orders/${encodeURIComponent(card.id)}/${path}`, body(card));
    } catch (error) {
      say(error.message);
      made.disabled = false;
    }
  };
  return made;
}

// -----------------------------------------------------------------------------------------------

function changed(state) {
  $("state").textContent = STATES[state];
  $("order").disabled = state !== "connected";
  if (state === "connected") followed().forEach(follow);
}

async function main() {
  $("add").onclick = add;
  $("place").onsubmit = place;
  $("watch").onsubmit = event => { event.preventDefault(); follow($("watched").value); };
  $("order").disabled = true;
  token = await enter();
  if (!token) {
    say("This page needs a code in its address: open the link that the server gave, once.");
    return;
  }
  socket = connect({token}, {event: happened, state: changed});
  await fillCatalogue();
}

main().catch(error => say(error.message));
