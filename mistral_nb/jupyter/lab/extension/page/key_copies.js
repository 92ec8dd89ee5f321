// @ts-check
// Where a key is that was taken out of a document: the words of `KeyRecord.kept` in key_records.py.

export const STORED = "stored";
export const SET_ASIDE = "set aside";
export const IN_MEMORY = "in memory"; // of the server alone
