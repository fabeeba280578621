import { premier } from './premier.js';

/** How warm it is at a place. */
export interface Weather {
  readonly celsius: number;
  readonly time: string;
}

/** An answer of the weather service that is of no use. Express answers with its `status`. */
class WeatherError extends Error {
  readonly status = 502;
  readonly expose = true;
}

const source = process.env['WEATHER_URL'] ?? 'https://api.open-meteo.com';

/** Asks the weather service. The first policy is the outermost. */
class Forecasts {
  @premier.circuitBreaker({ failureThreshold: 3, recoveryTimeout: '30s' })
  @premier.retry({ maxAttempts: 2, wait: { base: '100ms' } })
  @premier.timeout('500ms')
  async now(latitude: number, longitude: number): Promise<Weather> {
    const query = `latitude=${latitude}&longitude=${longitude}&current=temperature_2m`;
    const response = await fetch(`${source}/v1/forecast?${query}`, { signal: premier.signal });
    if (!response.ok) {
      await response.body?.cancel();
      throw new WeatherError(`the weather service answered ${response.status}`);
    }
    const { current } = (await response.json()) as { current: { temperature_2m: number; time: string } };
    return { celsius: current.temperature_2m, time: current.time };
  }
}

export const forecasts = new Forecasts();
