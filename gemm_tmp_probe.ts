import * as tf from "@tensorflow/tfjs-core";
import {openWasmEngine} from "./src/engine/wasm/engine.ts";
await openWasmEngine();
const t=(f:()=>any,n=10)=>{let b=1e9;for(let i=0;i<n;i++){const s=performance.now();tf.tidy(()=>{f();});b=Math.min(b,performance.now()-s);}return b;};
for(const [M,O] of [[16,16],[32,32],[64,64],[144,16]]) for(const K of [1024,2048,4096,8192,16384,65536]){const a=tf.randomNormal([1,M!,K]),b=tf.randomNormal([1,K,O!]);
 const nine=t(()=>{for(let i=0;i<9;i++)tf.matMul(a,b)}); const clone=t(()=>{const bb=tf.add(b,0);for(let i=0;i<9;i++)tf.matMul(a,bb)});console.log(M,O,K,"cached",(9*2*M!*O!*K/nine/1e6).toFixed(1),"fresh",(9*2*M!*O!*K/clone/1e6).toFixed(1),"GF");}
