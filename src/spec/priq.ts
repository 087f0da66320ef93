// The record of the PRI queue (IHI0070 8.1).
import { address, bits, flag, res0, struct } from "./field.ts";

/** One 16-byte record of the PRI queue. */
export const PRIQ = struct(
  "PRIQ",
  128,
  "8.1",
  {
    StreamID: bits(31, 0, undefined, "StreamID of the requester."),
    SubstreamID: bits(51, 32, undefined, { meaning: "PASID of the request.", gate: "SSIDSIZE!=0" }),
    _57: res0(57, 52),
    Priv: flag(58, "Privileged access is requested."),
    Exec: flag(59, "Execution is requested."),
    Read: flag(60, "Reading is requested."),
    Write: flag(61, "Writing is requested."),
    Last: flag(62, "Last request of the group; with Read=Write=0 it is a Stop Marker."),
    SSV: flag(63, "SubstreamID is valid."),
    PRGIndex: bits(72, 64, undefined, "Page request group, to be repeated in CMD_PRI_RESP."),
    _75: res0(75, 73),
    PageAddress: address(127, 76, "Address [63:12] of the page."),
  },
  { meaning: "A page request message of a PCIe endpoint.", gate: "PRI" },
);
