//! Rows of a CSV file, one at a time, each with its line.

use csv::ByteRecord;
use std::io;

/// The rows of a file.
pub(crate) struct Rows<'c> {
    content: &'c [u8],
    reader: csv::Reader<&'c [u8]>,
    pub(crate) row: ByteRecord,
    /// Line on which the row begins, from 1.
    pub(crate) line: u64,
    /// How much of the content lies before that line.
    counted: usize,
}

/// A column's name stands twice.
pub(crate) struct Repeated;

impl<'c> Rows<'c> {
    pub(crate) fn new(content: &'c [u8]) -> Self {
        Self {
            content,
            reader: csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(content),
            row: ByteRecord::new(),
            line: 1,
            counted: 0,
        }
    }

    /// Goes to the next row, over empty lines; `false` at the end.
    pub(crate) fn next(&mut self) -> io::Result<bool> {
        let found = self.reader.read_byte_record(&mut self.row)?;
        // The reader's own line is that of the empty lines or the line end before the row.
        let before = self.row.position().map_or(0, |at| at.byte() as usize);
        let blank = self.content[before..]
            .iter()
            .take_while(|&&byte| byte == b'\r' || byte == b'\n')
            .count();
        let passed = &self.content[self.counted..before + blank];
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.counted = before + blank;
        Ok(found)
    }

    /// The place of the column of this name, in the row of names.
    pub(crate) fn find(&self, name: &str) -> Result<Option<usize>, Repeated> {
        let mut found = (0..self.row.len()).filter(|&at| &self.row[at] == name.as_bytes());
        match (found.next(), found.next()) {
            (index, None) => Ok(index),
            _ => Err(Repeated),
        }
    }
}
