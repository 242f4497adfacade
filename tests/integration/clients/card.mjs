// SPDX-License-Identifier: Apache-2.0
// An Adaptive Card as Microsoft's own library reads it: node card.mjs < CARD. Prints what it objects to (unknown elements,
// values that an enumeration lacks, what is missing) as a JSON array of sentences.
import { text } from "node:stream/consumers";
import cards from "adaptivecards/dist/adaptivecards.js"; // its module lacks the ends of file names that Node wants

const context = new cards.SerializationContext(cards.Versions.v1_4);
new cards.AdaptiveCard().parse(JSON.parse(await text(process.stdin)), context);
const said = [];
for (let i = 0; i < context.eventCount; i++)
	said.push(context.getEventAt(i).message);
console.log(JSON.stringify(said));
