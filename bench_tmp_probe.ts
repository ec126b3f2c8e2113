import * as tf from "@tensorflow/tfjs-core";
import {openWasmEngine} from "./src/engine/wasm/engine.ts";
const e=await openWasmEngine(); console.log(e.description);
const N=64; const t=(f:()=>any,n=8)=>{let b=1e9;for(let i=0;i<n;i++){const s=performance.now();tf.tidy(()=>{f();});b=Math.min(b,performance.now()-s);}return b;};
for (const [H,C,O,s] of [[32,3,16,1],[32,16,16,1],[16,32,32,1],[8,64,64,1],[33,16,32,2],[17,32,64,2]] as number[][]) {
 const x=tf.randomNormal([N,H,H,C]) as tf.Tensor4D, f=tf.randomNormal([3,3,C,O]) as tf.Tensor4D; const pad = s==1?"same":"valid";
 const y=tf.conv2d(x,f,s,pad); const dy=tf.randomNormal(y.shape) as tf.Tensor4D; const fl=2*y.size*9*C;
 const fw=t(()=>tf.conv2d(x,f,s,pad));
 const bi=t(()=>tf.engine().runKernel("Conv2DBackpropInput",{dy,filter:f} as any,{strides:s,pad,dataFormat:"NHWC",inputShape:x.shape} as any));
 const bf=t(()=>tf.engine().runKernel("Conv2DBackpropFilter",{dy,x} as any,{strides:s,pad,dataFormat:"NHWC",filterShape:f.shape} as any));
 const g=(ms:number)=>`${ms.toFixed(1)}ms ${(fl/ms/1e6).toFixed(1)}GF`;
 console.log(H,C,O,s,"fwd",g(fw),"| dx",g(bi),"| dw",g(bf));
 tf.dispose([x,f,y,dy]);
}
for (const [H,C,s] of [[32,96,1],[33,96,2],[16,144,1]] as number[][]) {
 const x=tf.randomNormal([N,H,H,C]) as tf.Tensor4D, f=tf.randomNormal([3,3,C,1]) as tf.Tensor4D; const pad = s==1?"same":"valid";
 const y=tf.depthwiseConv2d(x,f,s,pad); const dy=tf.randomNormal(y.shape) as tf.Tensor4D; const fl=2*y.size*9;
 const g=(ms:number)=>`${ms.toFixed(1)}ms ${(fl/ms/1e6).toFixed(1)}GF`;
 console.log("dw",H,C,s,"fwd",g(t(()=>tf.depthwiseConv2d(x,f,s,pad))),"| dx",g(t(()=>tf.engine().runKernel("DepthwiseConv2dNativeBackpropInput",{dy,filter:f} as any,{strides:s,pad,inputShape:x.shape} as any))),"| dw",g(t(()=>tf.engine().runKernel("DepthwiseConv2dNativeBackpropFilter",{dy,x} as any,{strides:s,pad,filterShape:f.shape} as any))));
 tf.dispose([x,f,y,dy]);
}
{const x=tf.randomNormal([N,32,32,16]),g=tf.ones([16]),b=tf.zeros([16]);
 const o=tf.engine().runKernel("BatchNormTraining",{x,gamma:g,beta:b} as any,{epsilon:1e-5} as any) as any;
 console.log("bn",t(()=>tf.engine().runKernel("BatchNormTraining",{x,gamma:g,beta:b} as any,{epsilon:1e-5} as any)),"grad",t(()=>tf.engine().runKernel("BatchNormTrainingGrad",{dy:x,x,gamma:g,r1:o[3],r2:o[4],r3:o[5]} as any,{epsilon:1e-5} as any)),
 "rc",t(()=>tf.engine().runKernel("RoundClip",{x} as any,{low:0,high:15} as any)),"rcg",t(()=>tf.engine().runKernel("RoundClipGrad",{dy:x,x} as any,{low:0,high:15} as any)),"relu",t(()=>tf.relu(x)),"relug",t(()=>tf.engine().runKernel("ReluGrad",{dy:x,y:x} as any)),"add",t(()=>tf.add(x,x)),"mul scalar",t(()=>tf.mul(x,2)),"mul chan",t(()=>tf.mul(x,g)),"mean",t(()=>tf.mean(x,[1,2])),"pad",t(()=>tf.pad(x,[[0,0],[1,0],[1,0],[0,0]])),"sum",t(()=>tf.sum(x)),"square",t(()=>tf.square(x)),"tile grad",t(()=>tf.tile(tf.reshape(g,[1,1,1,16]),[N,32,32,1])));
}
