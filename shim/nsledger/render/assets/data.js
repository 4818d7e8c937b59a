/* What Python put into the page, with the few things that are looked up again and again. */

const data = JSON.parse(byId("data").textContent);

const TYPES = data.types;
/* A cell is an array: */
const [KIND, SIGN, WORD, INO, NS_ID, REQUESTED, ASSIGNED, VERDICT, REASON, CHANGED] = Array(10).keys();

const EFFECT = {
  net: "interfaces, ports and localhost",
  ipc: "shared memory, semaphores and queues",
  uts: "host name",
  pid: "processes and their numbers",
  mnt: "mounts",
  user: "users and capabilities",
  cgroup: "view of the cgroup tree",
  time: "monotonic and boot clocks",
};

const state = {
  query: "",
  only: "all",
  /** `pods`, or the place of a type. */
  view: "pods",
  span: "all",
  utc: data.utc,
};

/** All that a pod can be found by, in lower case. */
for (const pod of data.pods) {
  const words = [pod.full_name, pod.id, pod.uid, pod.handler, pod.state, ...(pod.ips || [])];
  for (const process of pod.processes) {
    words.push(process.name, process.id, process.image, process.pid);
    for (const cell of process.cells) words.push(cell[INO], cell[NS_ID]);
  }
  pod.words = words.filter(Boolean).join("\n").toLowerCase();
}

/** Each word of the search, in lower case; `net:[4026532254]` is looked for by its number. */
const asked = () =>
  state.query
    .toLowerCase()
    .replace(/\b[a-z]+:\[(\d+)\]/g, "$1")
    .split(/\s+/)
    .filter(Boolean);

const ONLY = {
  all: () => true,
  host: (pod) => pod.host.length > 0,
  bad: (pod) => Boolean(pod.bad),
  ended: (pod) => pod.state === "ended",
  found: (pod) => Boolean(pod.findings),
};

/* What is worth a look comes first, then by name. */
const isSevere = (pod) => (pod.findings || []).some((at) => data.findings[at].severity === "high");
const rank = (pod) => (pod.bad || isSevere(pod) ? 0 : pod.state === "ended" ? 3 : pod.host.length ? 1 : 2);
const ORDER = [...data.pods.keys()].sort((a, b) => rank(data.pods[a]) - rank(data.pods[b]) || a - b);

/** Places of the pods that are wanted, in the order in which they are shown. */
function wantedPods() {
  const words = asked();
  const fits = ONLY[state.only];
  return ORDER.filter((at) => {
    const pod = data.pods[at];
    return fits(pod) && words.every((word) => pod.words.includes(word));
  });
}

/** Whether this number of a namespace is one that was searched for. */
function isFound(ino, nsId) {
  return ino !== null && asked().some((word) => word === String(ino) || word === String(nsId));
}

const two = (number) => String(number).padStart(2, "0");

/** A moment for people, to the second. */
function moment(time) {
  const at = new Date(time);
  if (state.utc) return at.toISOString().slice(0, 19).replace("T", " ");
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${date} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":")}`;
}

/** A moment as an element, with the exact one behind it. */
const when = (time) => element("time", { datetime: time, title: time }, moment(time));

const zoneName = () => (state.utc ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone || "local time");
