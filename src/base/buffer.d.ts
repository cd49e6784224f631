/** Methods of the platform's Buffer that its type package leaves out. Both count bytes, as latin1 does. */
interface Buffer<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> {
  latin1Slice(start?: number, end?: number): string;
  latin1Write(text: string, offset?: number): number;
}
