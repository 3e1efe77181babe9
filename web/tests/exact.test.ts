import { describe, expect, it } from 'vitest';

import {
  between, compare, exact, factor, geometry, grouped, minus, money, percent, points, signedMoney,
} from '../src/lib/exact.ts';

/** Unbroken spaces read badly in a table of cases. */
const spaced = (text: string): string => text.replaceAll('\u00a0', ' ');

describe('percent rounds down, so that quota is never called reached before it is', () => {
  it.each([
    ['0.9996', '99.9 %'],
    ['0.99999999999999999999', '99.9 %'],
    ['1', '100.0 %'],
    ['1.0000', '100.0 %'],
    ['1.00099', '100.0 %'],
    ['0', '0.0 %'],
    ['0.0009', '0.0 %'],
    ['1.255601', '125.5 %'],
    ['13.124', '1,312.4 %'],
    ['-0.0409', '−4.1 %'],
    ['-0.00001', '−0.1 %'],
    ['-0.5', '−50.0 %'],
    ['0.3', '30.0 %'],
  ])('%s reads %s', (ratio, text) => expect(spaced(percent(exact(ratio)))).toBe(text));
});

describe('money has two places and a sign one can see', () => {
  it.each([
    ['0', '0.00'],
    ['5', '5.00'],
    ['32184.0312', '32,184.03'],
    ['1234567.5', '1,234,567.50'],
    ['999999999999999.999999', '1,000,000,000,000,000.00'],
    ['0.005', '0.01'],
    ['0.0049999', '0.00'],
    ['-0.005', '−0.01'],
    ['-16480', '−16,480.00'],
    ['-0.001', '0.00'],
    ['9007199254740993.01', '9,007,199,254,740,993.01'],
  ])('%s reads %s', (amount, text) => expect(money(exact(amount))).toBe(text));

  it.each([
    ['12', '+12.00'],
    ['-12', '−12.00'],
    ['0', '0.00'],
    ['0.001', '0.00'],
  ])('signed, %s reads %s', (amount, text) => expect(signedMoney(exact(amount))).toBe(text));
});

describe('a distance that is there never reads as none', () => {
  it.each([
    ['0.0008', '0.08 pt'],
    ['0.302344', '30.23 pt'],
    ['0.00000001', '0.01 pt'],
    ['-0.00000001', '−0.01 pt'],
    ['0', '0.00 pt'],
    ['12.103', '1,210.30 pt'],
  ])('%s reads %s', (ratio, text) => expect(spaced(points(exact(ratio)))).toBe(text));
});

describe('exact values', () => {
  it.each(['1e5', '', 'NaN', '1.', '.5', '+1', '1,000', '0x1', ' 1'])('refuse %j', (text) => {
    expect(() => exact(text)).toThrow(RangeError);
  });

  it('compare by value, whatever their scale', () => {
    expect(compare(exact('1.50'), exact('1.5'))).toBe(0);
    expect(compare(exact('-1'), exact('0.0001'))).toBe(-1);
    expect(compare(exact('9007199254740993'), exact('9007199254740992'))).toBe(1);
  });

  it('subtract without loss', () => {
    expect(grouped(minus(exact('0.3'), exact('0.1')))).toBe('0.2');
    expect(grouped(minus(exact('0.1'), exact('0.30')))).toBe('−0.20');
  });

  it('count from one to the other and arrive exactly, upwards and downwards', () => {
    const [low, high] = [exact('10'), exact('20.0312')];
    expect(grouped(between(low, high, 0))).toBe('10.0000');
    expect(grouped(between(low, high, 500))).toBe('15.0156');
    expect(grouped(between(low, high, 1000))).toBe('20.0312');
    expect(grouped(between(high, low, 1000))).toBe('10.0000');
  });

  it('become floating point only to be drawn', () => {
    expect(geometry(exact('-0.25'))).toBe(-0.25);
    expect(factor(exact('1.3999'))).toBe('1.39');
  });
});
