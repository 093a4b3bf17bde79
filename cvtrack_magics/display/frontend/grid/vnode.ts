// A node whose attributes no one asks about any more.

import type { VNode as Typed } from "preact";

export type VNode = Typed<any>;
